/* In what every product and every stored value is computed and kept, and for whom, for people. It
 * is read off the plan, before its values have places: buffers name slots then, and slots say what
 * their elements are.
 *
 * What is alike but for its place in the network (equal layers) is one line. */
#include "plan/call_lines.h"
#include "plan/cost.h"
#include "plan/plan_internal.h"
#include <inttypes.h>
#include <string.h>

enum { NAME_TEXT = 48, SHAPE_TEXT = 48, WHOM_TEXT = 96, THIN_TEXT = 32 };

/* Who reads or holds what a slot holds. */
enum {
    BY_PRODUCTS = 1 << 0,
    BY_KERNELS = 1 << 1,
    BY_ATTENTION = 1 << 2,
    BY_OTHERS = 1 << 3, /* scatters, sums */
    BY_CALLER = 1 << 4,
    BY_BACKWARD = 1 << 5, /* made in the forward pass, read in the backward pass */
};

typedef struct {
    char name[NAME_TEXT], lines[CALL_LINES_TEXT], shape[SHAPE_TEXT];
    HcPrecision takes;
    bool own; /* made by kernels of our own */
    Element gives;
    bool backward;
    uint32_t calls;
    double operations; /* at a position, of all of them */
} ProductLine;

typedef struct {
    char name[NAME_TEXT], shape[SHAPE_TEXT];
    Element element;
    TirDomain domain;
    uint32_t readers; /* BY_... */
    uint32_t values;
    uint64_t bytes; /* of one, for each unit of its domain */
} StoredLine;

typedef struct {
    const Plan *plan;
    const TirBlock *block;
    const SourceSet *sources;
    uint32_t *readers;       /* by slot: BY_... */
    bool *written, *forward; /* by slot: by a call, and by one of the forward pass */
    VEC(ProductLine) products;
    VEC(StoredLine) stored;
} Explain;

/* --- who reads what ----------------------------------------------------------------------------*/

static uint32_t reader_of(CallKind kind) {
    switch (kind) {
    case CALL_GEMM:
        return BY_PRODUCTS;
    case CALL_KERNEL:
        return BY_KERNELS;
    case CALL_ATTEND:
        return BY_ATTENTION;
    default:
        return BY_OTHERS;
    }
}

static void note_call(Explain *e, const Call *call, bool backward) {
    for (uint32_t k = 0; k < call->buffers.count; k++) {
        const CallBuffer *buffer = &call->buffers.at[k];
        if (buffer->region == REGION_PARTIAL)
            continue;
        const uint32_t slot = buffer->index;
        if (k < call->n_reads) {
            e->readers[slot] |= reader_of(call->kind);
            e->readers[slot] |= backward && e->forward[slot] ? BY_BACKWARD : 0;
        } else {
            e->written[slot] = true;
            e->forward[slot] |= !backward;
        }
    }
}

static void note_readers(Explain *e) {
    const Plan *plan = e->plan;
    for (uint32_t c = 0; c < plan->calls.count; c++)
        note_call(e, &plan->calls.at[c], c >= plan->n_forward_calls);
    for (uint32_t k = 0; k < plan->program->outputs.count; k++)
        e->readers[tir_storage(e->block, plan->program->outputs.at[k].value)] |= BY_CALLER;
}

/* --- lines -------------------------------------------------------------------------------------*/

static void name_of(const Explain *e, TirId value, char text[NAME_TEXT]) {
    const TirNode *node = tir_node(e->block, value);
    snprintf(text, NAME_TEXT, "%s", node->name ? node->name : tir_op_name(node->op));
}

static void dims_of(const TirType *type, char text[SHAPE_TEXT]) {
    size_t length = 0;
    text[0] = 0;
    for (uint32_t k = 0; k < type->rank && length < SHAPE_TEXT; k++)
        length += (size_t)snprintf(text + length, SHAPE_TEXT - length, "%s%u", k ? " x " : "",
                                   type->dims[k]);
}

static void product_shape(const GemmWork *g, char text[SHAPE_TEXT]) {
    char m[24] = "", k[24] = "";
    if (!g->m_per_instance || g->m != 1)
        snprintf(m, sizeof m, "%" PRIu64, g->m);
    if (!g->k_per_instance || g->k != 1)
        snprintf(k, sizeof k, "%" PRIu64, g->k);
    snprintf(text, SHAPE_TEXT, "%s%s x %" PRIu64 " x %s%s", m, g->m_per_instance ? "N" : "", g->n,
             k, g->k_per_instance ? "N" : "");
}

static bool same_product(const ProductLine *x, const ProductLine *y) {
    return strcmp(x->name, y->name) == 0 && strcmp(x->lines, y->lines) == 0 &&
           strcmp(x->shape, y->shape) == 0 && x->takes == y->takes && x->own == y->own &&
           x->gives == y->gives && x->backward == y->backward;
}

static void add_product(Explain *e, const Call *call, bool backward) {
    const PlanStep *step = &e->plan->options.step;
    ProductLine line = {.takes = plan_product_takes(e->plan, call),
                        .own = plan_product_is_own(e->plan, call),
                        .backward = backward,
                        .gives = call->buffers.at[call->n_reads].element,
                        .calls = 1};
    if (backward && !tir_node(e->block, call->value)->name)
        snprintf(line.name, sizeof line.name, "%s",
                 call->gemm.k_per_instance ? "to weights" : "to inputs");
    else
        name_of(e, call->value, line.name);
    call_lines(e->plan, call, e->sources, line.lines);
    product_shape(&call->gemm, line.shape);
    line.operations = cost_spread(plan_call_cost(e->plan, call).operations, (uint32_t)step->samples,
                                  (uint32_t)step->positions);
    for (uint32_t k = 0; k < e->products.count; k++) {
        ProductLine *at = &e->products.at[k];
        if (!same_product(at, &line))
            continue;
        at->calls++;
        at->operations += line.operations;
        return;
    }
    vec_push(e->plan->arena, &e->products, line);
}

static bool same_stored(const StoredLine *x, const StoredLine *y) {
    return strcmp(x->name, y->name) == 0 && strcmp(x->shape, y->shape) == 0 &&
           x->element == y->element && x->readers == y->readers &&
           tir_domain_equal(x->domain, y->domain);
}

static void add_stored(Explain *e, uint32_t slot) {
    const PlanSlot *of = &e->plan->slots.at[slot];
    const TirType *type = &tir_node(e->block, of->value)->type;
    StoredLine line = {.element = of->element,
                       .domain = type->domain,
                       .readers = e->readers[slot],
                       .values = 1,
                       .bytes = tir_element_count(type) * plan_element_bytes(of->element)};
    name_of(e, of->value, line.name);
    dims_of(type, line.shape);
    for (uint32_t k = 0; k < e->stored.count; k++)
        if (same_stored(&e->stored.at[k], &line)) {
            e->stored.at[k].values++;
            return;
        }
    vec_push(e->plan->arena, &e->stored, line);
}

static void add_lines(Explain *e) {
    const Plan *plan = e->plan;
    for (uint32_t c = 0; c < plan->calls.count; c++)
        if (plan->calls.at[c].kind == CALL_GEMM)
            add_product(e, &plan->calls.at[c], c >= plan->n_forward_calls);
    for (uint32_t slot = 1; slot < plan->slots.count; slot++)
        if (e->written[slot] && plan->buffer[slot].region != REGION_GRADS)
            add_stored(e, slot);
}

/* --- printing ----------------------------------------------------------------------------------*/

static void print_products(const Explain *e, FILE *to) {
    const Machine *machine = &e->plan->options.machine;
    const char *sums = plan_element_names[plan_real(&e->plan->options)];
    if (e->products.count == 0)
        return;
    fprintf(to, "products (N: all positions)\n  %-20s %-20s %-5s %-7s %-5s %5s %12s  %s\n", "", "",
            "takes", "sums in", "gives", "calls", "operations", "by");
    for (uint32_t k = 0; k < e->products.count; k++) {
        const ProductLine *p = &e->products.at[k];
        const bool bf16 = p->takes == HC_PRECISION_BF16;
        fprintf(to, "  %-20s %-20s %-5s %-7s %-5s %5u %12.0f  %-20s  %s%s\n", p->name, p->shape,
                hc_precision_word(p->takes), sums, plan_element_names[p->gives], p->calls,
                p->operations, p->own ? machine_product_text(machine, bf16) : "OpenBLAS",
                p->backward ? "backward of " : "", p->lines);
    }
    const bool narrow = hc_precision_rounds(e->plan->options.precision);
    const uint32_t thin = machine_product_thin(machine, narrow);
    char one[THIN_TEXT] = "";
    if (thin < PRODUCT_SIDE)
        snprintf(one, sizeof one, " (one: %u)", thin);
    fprintf(
        to,
        "  OpenBLAS makes products of which a side has less than %d elements%s, all of f64, and "
        "all where\n  the processor does not multiply and add at once; the others are the "
        "model's own kernels,\n  which round what they take as they pack it: what kernels "
        "make for them alone\n  is rounded when it is stored, and so is what they make, but what "
        "the "
        "loss is made of.\n\n",
        PRODUCT_SIDE, one);
}

/* Why it is what it is follows from who reads it: kernels, sums and attention compute in the type
 * of real values, products in what they take. */
static void whom(uint32_t readers, char text[WHOM_TEXT]) {
    static const char *const names[] = {"products", "kernels", "attention", "scatters and sums",
                                        "the caller"};
    size_t length = 0;
    const char *before = "";
    text[0] = 0;
    for (uint32_t k = 0; k < sizeof names / sizeof *names; k++)
        if (readers & 1u << k) {
            length += (size_t)snprintf(text + length, WHOM_TEXT - length, "%s%s", before, names[k]);
            before = ", ";
        }
    snprintf(text + length, WHOM_TEXT - length, "%s%s", length ? "" : "nobody",
             readers & BY_BACKWARD ? "; kept for the backward pass" : "");
}

static void print_stored(const Explain *e, FILE *to) {
    fprintf(to, "stored\n  %-20s %-20s %-4s %6s %10s  %-8s  read by\n", "", "", "as", "values",
            "bytes", "at a");
    for (uint32_t k = 0; k < e->stored.count; k++) {
        const StoredLine *s = &e->stored.at[k];
        char readers[WHOM_TEXT];
        whom(s->readers, readers);
        fprintf(to, "  %-20s %-20s %-4s %6u %10" PRIu64 "  %-8s  %s\n", s->name, s->shape,
                plan_element_names[s->element], s->values, s->values * s->bytes,
                plan_domain_name(s->domain), readers);
    }
}

/* What all positions hold, before values take one another's place. */
static void print_sums(const Explain *e, FILE *to) {
    static const TirDomain position = {1, 1};
    uint64_t bytes[ELEMENT_COUNT] = {0}, values[ELEMENT_COUNT] = {0};
    for (uint32_t k = 0; k < e->stored.count; k++) {
        const StoredLine *s = &e->stored.at[k];
        if (s->domain.sample != position.sample || !s->domain.space)
            continue;
        bytes[s->element] += s->values * s->bytes;
        values[s->element] += s->values;
    }
    fprintf(to, "\n");
    for (Element element = 0; element < ELEMENT_COUNT; element++)
        if (values[element])
            fprintf(to, "%s: %" PRIu64 " bytes at a position, in %" PRIu64 " values\n",
                    plan_element_names[element], bytes[element], values[element]);
}

void plan_explain_precision(const Plan *plan, const SourceSet *sources, FILE *to) {
    Explain e = {.plan = plan, .block = plan->program->block, .sources = sources};
    e.readers = ARENA_ARRAY(plan->arena, uint32_t, plan->slots.count);
    e.written = ARENA_ARRAY(plan->arena, bool, plan->slots.count);
    e.forward = ARENA_ARRAY(plan->arena, bool, plan->slots.count);
    note_readers(&e);
    add_lines(&e);
    const char *real = plan_element_names[plan_real(&plan->options)];
    const Machine *machine = &plan->options.machine;
    const bool narrow =
        hc_precision_rounds(plan->options.precision) && machine_has_products(machine);
    fprintf(to,
            "Precision %s: parameters, gradients, moments and all that callers hold are %s, and\n"
            "kernels, %s and sums compute in it. Products take their factors as below%s%s.\n\n",
            hc_precision_word(plan->options.precision), real,
            narrow ? "the softmax of attention" : "attention",
            narrow ? ",\nthose inside attention as bf16, by " : "",
            narrow ? machine_product_text(machine, true) : "");
    if (narrow && plan->options.precision == HC_PRECISION_BF16_STREAMS)
        fprintf(
            to,
            "What kernels hand to kernels at a position is rounded to bf16 when it is stored, if "
            "it has\n%d elements or more.%s\n\n",
            NARROW_STREAM,
            plan_is_called(plan->program)
                ? " So is what the program takes of its caller, and gives, there."
                : "");
    print_products(&e, to);
    print_stored(&e, to);
    print_sums(&e, to);
}
