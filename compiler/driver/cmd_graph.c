/* hcc graph: a network's topology as a picture. */
#include "driver/driver.h"
#include "driver/graph/graph.h"
#include "driver/outputs.h"
#include "driver/pipeline.h"

ExitCode command_graph(Driver *d) {
    const CompileOptions options = pipeline_options(d);
    CompileRun run = pipeline_begin(d, &options);
    OutputFile output;
    ExitCode code = pipeline_model(d, &run, PASS_SEMA);
    if (code == EXIT_OK)
        code =
            output_open(d, d->options.run.out, output_mark(d->c->arena, "<!-- ", " -->"), &output);
    if (code == EXIT_OK) {
        const Graph graph = graph_of(d->c, run.ast, run.network, !d->options.all);
        graph_svg(&graph, d->c->arena, output.to);
        code = output_finish(d, &output);
    }
    pipeline_end(d, &run);
    return code;
}
