/* The table of attributes: whatever an op has is compared, hashed, printed and read, and it has no
 * others. */
#include "tir/tir_attr.h"
#include "tir/tir_internal.h"
#include "tir_case.h"

/* Every op with attributes. */
static const char *const text_of_all =
    "tir 1\n"
    "space \"t\" 8\n"
    "space \"rc\" 2 4\n"
    "param \"w\" \"g\" real[3,4] fill 0 0 lr 1\n"
    "param \"v\" \"g\" real[2] fill 0 0 lr 1\n"
    "input \"x\" real[4]@pos1 limit 0\n"
    "input \"y\" real[4]@pos2 limit 0\n"
    "table \"\" real[2,2] 1 2 3 4\n"
    "%1 = param 0 : real[3,4]\n"
    "%2 = input 0 : real[4]@pos1\n"
    "%3 = table 0 : real[2,2]\n"
    "%4 = position 2 : int[]@time2\n"
    "%5 = count @pos1 : real[]\n"
    "%6 = const 0.1 : real[]\n"
    "%7 = contract %1 %2 \"ab,b->a\" : real[3]@pos1\n"
    "%8 = broadcast %7 axes 1 : real[2,3]@pos1\n"
    "%9 = slice %8 axis 1 start 1 : real[2,2]@pos1\n"
    "%10 = pad %9 axis 0 start 3 : real[6,2]@pos1\n"
    "%11 = take %10 axis 0 indices 3 -1 3 : real[3,2]@pos1\n"
    "%12 = concat %11 %11 axis 1 : real[3,4]@pos1\n"
    "%13 = reduce_sum %12 axes 0 1 : real[]@pos1\n"
    "%14 = reduce_max %12 axes 0 : real[4]@pos1\n"
    "%15 = reduce_min %12 axes 1 : real[3]@pos1\n"
    "%16 = reduce_prod %12 axes 1 : real[3]@pos1\n"
    "%17 = argmax %12 axis 1 : int[3]@pos1\n"
    "%18 = onehot %17 rows 4 : real[3,4]@pos1\n"
    "%19 = input 1 : real[4]@pos2\n"
    "%20 = shift %19 offset -1 2 : real[4]@pos2\n"
    "%21 = attend %12 %18 %18 start 0 causal scale 0.5\n"
    "%22 = result %21 0 : real[3,4]@pos1\n"
    "%23 = result %21 1 : real[3]@pos1\n"
    "%24 = attend_grad %12 %18 %18 %22 %23 %22 start 0 causal scale 0.5\n"
    "%25 = scatter_add %17 %22 rows 5 : real[5,4]\n"
    "%26 = param 1 : real[2]\n"
    "%27 = scan %26 %3 %3 trips 2 reverse carried 1 invariant 1 scanned 1 stacked 1 {\n"
    "  args real[2] real[2,2] real[2] int[]\n"
    "  %1 = arg 0 : real[2]\n"
    "  %2 = arg 2 : real[2]\n"
    "  %3 = mul %1 %2 : real[2]\n"
    "  yield %3 %1\n"
    "}\n"
    "%28 = recur %13 %2 reverse : real[4]@pos1\n"
    "%29 = sequence %26 %26 reverse carried 1 invariant 1 {\n"
    "  args real[2]@pos1 real[2]\n"
    "  %1 = arg 0 : real[2]@pos1\n"
    "  %2 = arg 1 : real[2]\n"
    "  %3 = mul %1 %2 : real[2]@pos1\n"
    "  yield %3\n"
    "}\n";

static TirProgram *read_all(Compilation *c) {
    TirProgram *p =
        tir_read(c, source_add(c->sources, "all.tir", text_of_all, strlen(text_of_all)));
    if (!p)
        diag_render_text(c->diagnostics, stderr, false);
    assert_non_null(p);
    return p;
}

/* The example of an op: in the program's block, or in its loop. */
static TirNode *example_of(TirProgram *p, TirOp op) {
    for (TirId id = 1; id < p->block->nodes.count; id++) {
        TirNode *node = &p->block->nodes.at[id];
        if (node->op == op)
            return node;
        if (node->op == TIR_SCAN)
            for (TirId k = 1; k < node->attr.body->nodes.count; k++)
                if (tir_node(node->attr.body, k)->op == op)
                    return &node->attr.body->nodes.at[k];
    }
    return NULL;
}

/* Something else of the attribute's kind: `byte` of it, or what it points to. */
static void change(TirProgram *p, const TirNode *node, TirAttr *a, const TirAttrRow *row,
                   uint32_t byte) {
    if (row->notation == TIR_NOTATION_INDICES) {
        const uint32_t n = node->type.dims[a->axis];
        int32_t *indices = ARENA_ARRAY(p->arena, int32_t, n);
        memcpy(indices, a->indices, n * sizeof *indices);
        indices[byte % n]++;
        a->indices = indices;
    } else if (row->notation == TIR_NOTATION_BODY) {
        TirBlock *body = ARENA_NEW(p->arena, TirBlock);
        *body = *a->body;
        body->results.at = ARENA_ARRAY(p->arena, TirId, body->results.count);
        memcpy(body->results.at, a->body->results.at, body->results.count * sizeof(TirId));
        body->results.at[byte % body->results.count] = 2;
        a->body = body;
    } else {
        ((uint8_t *)tir_attr_place(a, row))[byte] ^= 1;
    }
}

static bool has(TirOp op, uint32_t attribute) {
    return tir_op_attrs(op) >> attribute & 1;
}

static void test_every_attribute_tells(void **state) {
    (void)state;
    Compilation *c = compilation_create();
    TirProgram *p = read_all(c);
    char *before = case_print(p);
    for (TirOp op = 0; op < TIR_OP_COUNT; op++) {
        TirNode *node = example_of(p, op);
        if (tir_op_attrs(op) && !node)
            fail_msg("no example of %s", tir_op_name(op));
        for (uint32_t k = 0; k < TIR_ATTR_COUNT; k++) {
            if (!has(op, k))
                continue;
            const TirNode was = *node;
            for (uint32_t byte = 0; byte < tir_attr_rows[k].size; byte++) {
                change(p, node, &node->attr, &tir_attr_rows[k], byte);
                if (tir_node_equal(&was, node) || tir_node_hash(&was) == tir_node_hash(node))
                    fail_msg("%s: attribute %u, byte %u is not compared", tir_op_name(op), k, byte);
                if (byte == 0) {
                    char *after = case_print(p);
                    if (strcmp(before, after) == 0)
                        fail_msg("%s: attribute %u is not printed", tir_op_name(op), k);
                    free(after);
                }
                *node = was;
            }
        }
    }
    free(before);
    compilation_destroy(c);
}

static void same_block(const TirBlock *a, const TirBlock *b) {
    assert_int_equal(a->nodes.count, b->nodes.count);
    for (TirId id = 1; id < a->nodes.count; id++) {
        const TirNode *x = tir_node(a, id), *y = tir_node(b, id);
        uint8_t of_x[sizeof(TirAttr)], of_y[sizeof(TirAttr)];
        const uint32_t n = tir_attr_bytes(of_x, &x->attr);
        assert_int_equal(tir_attr_bytes(of_y, &y->attr), n);
        assert_memory_equal(of_x, of_y, n);
        assert_true(tir_node_equal(x, y));
        assert_true(tir_node_hash(x) == tir_node_hash(y));
    }
}

static void test_what_is_printed_is_read(void **state) {
    (void)state;
    Compilation *c = compilation_create();
    TirProgram *p = read_all(c);
    char *text = case_print(p);
    assert_string_equal(text, text_of_all);
    const TirProgram *again = tir_read(c, source_add(c->sources, "b.tir", text, strlen(text)));
    assert_non_null(again);
    same_block(p->block, again->block);
    free(text);
    compilation_destroy(c);
}

/* An attribute that is not the op's would tell values apart that print alike. */
static void test_others_are_refused(void **state) {
    (void)state;
    Compilation *c = compilation_create();
    TirProgram *p = read_all(c);
    for (TirOp op = 0; op < TIR_OP_COUNT; op++) {
        TirNode *node = example_of(p, op);
        for (uint32_t k = 0; node && k < TIR_ATTR_COUNT; k++) {
            if (has(op, k))
                continue;
            const TirNode was = *node;
            ((uint8_t *)tir_attr_place(&node->attr, &tir_attr_rows[k]))[0] = 1;
            const char *wrong = tir_verify(p);
            if (!wrong || !strstr(wrong, "attribute of another op"))
                fail_msg("%s has attribute %u: %s", tir_op_name(op), k, wrong ? wrong : "no fault");
            *node = was;
        }
    }
    assert_null(tir_verify(p));
    compilation_destroy(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_attribute_tells),
        cmocka_unit_test(test_what_is_printed_is_read),
        cmocka_unit_test(test_others_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
