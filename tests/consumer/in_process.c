/* The same as main.c, of a text that is compiled in this process. */
#include <hcc/hcc.h>
#include <stdio.h>

static double loss_of(const HcModel *model) {
    const float x[8] = {1, 2, 3, 4, 5, 6, 7, 8}, y = 30;
    const HcOptions options = {.threads = 1, .samples = 1};
    HcContext *line = NULL;
    double loss = -1;
    if (hc_create(model, &options, &line, NULL) == HC_OK && hc_init(line, 1) == HC_OK &&
        hc_set_input(line, "x", x, 8) == HC_OK && hc_set_input(line, "y", &y, 1) == HC_OK &&
        hc_forward(line) == HC_OK)
        hc_loss(line, &loss);
    hc_destroy(line);
    return loss;
}

int main(int argc, char **argv) {
    HccModule *module = argc > 1 ? hcc_compile_file(argv[1], NULL) : NULL;
    if (hcc_status(module) == HCC_OK)
        printf("%g\n", loss_of(hcc_model(module)));
    else
        fputs(hcc_report(module), stderr);
    hcc_free(module);
    return 0;
}
