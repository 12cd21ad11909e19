/* Well-formed trees: what the parser makes is one, whatever it is given; and each rule, broken in
 * one place of a good tree, is what the verifier says. */
#include "std/std.h"
#include "syntax/ast_verify.h"
#include "syntax/parse.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
// cmocka wants the headers above
#include <cmocka.h>

static const char text[] = "const n = 2 + n * 3;\n"
                           "fn f(x) = -x;\n"
                           "fn g(x[k], eps = 1) -> y[k] {\n"
                           "  let y[k] = sum[j < n] x[j] ^ 2 / f(n, eps = 1);\n"
                           "  require n > 1 && n < 3 && n < 4, \"text\";\n"
                           "}\n"
                           "connection c {\n"
                           "  param p[d], q ~ normal(1) lr(0.1);\n"
                           "  state h[d];\n"
                           "  for k < 3 { v = (k, true); }\n"
                           "}\n"
                           "branch b : x[d] -> y[d] { if n < 1 { probe x; } else { penalty x; } }\n"
                           "model m {\n"
                           "  positions t <= 4 causal;\n"
                           "  input x[t] : real;\n"
                           "  let y = trunk(x) { a = c : b & b(1); };\n"
                           "  loss y weight 2;\n"
                           "}\n"
                           "train m { steps 3; data text { x[t] = bytes[t]; } }\n";

/* --- the places of that tree that the cases break ----------------------------------------------*/

enum { CONSTANT, SHORT, LONG, CONNECTION, BRANCH, MODEL, TRAIN };

static Item *item(Ast *ast, uint32_t k) {
    return ast->items.at[k];
}
static Stmt *stmt(Ast *ast, uint32_t k, uint32_t s) {
    return item(ast, k)->body.at[s];
}
static Expr *sum_of(Ast *ast) { /* 2 + n * 3 */
    return item(ast, CONSTANT)->constants.at[0].value;
}
static Expr *product_of(Ast *ast) { /* sum[j < n] x[j] ^ 2 / f(...) */
    return stmt(ast, LONG, 0)->bindings.at[0].value;
}
static Expr *call_of(Ast *ast) { /* f(n, eps = 1) */
    return product_of(ast)->reduce.operand->chain.terms.at[1];
}
static Expr *logic_of(Ast *ast) { /* n > 1 && ... */
    return stmt(ast, LONG, 1)->require.condition;
}
static Expr *tuple_of(Ast *ast) { /* (k, true) */
    return stmt(ast, CONNECTION, 2)->loop.body.at[0]->bindings.at[0].value;
}
static Expr *trunk_of(Ast *ast) {
    return stmt(ast, MODEL, 2)->bindings.at[0].value;
}
static Stmt *site_of(Ast *ast) { /* a = c : b & b(1) */
    return trunk_of(ast)->trunk.body.at[0];
}

/* --- one case a rule ---------------------------------------------------------------------------*/

/* The tree of the text, after a change: the verifier says that rule. */
#define BROKEN(change, rule)                                                                       \
    do {                                                                                           \
        Compilation *c = compilation_create();                                                     \
        Ast *ast = parse_file(c, source_add(c->sources, "test.hc", text, strlen(text)));           \
        assert_null(ast_verify(c, ast));                                                           \
        (void)(change);                                                                            \
        expect_said(ast_verify(c, ast), rule, #change);                                            \
        compilation_destroy(c);                                                                    \
    } while (0)

static void expect_said(const char *said, const char *rule, const char *change) {
    if (!said || strcmp(said, rule) != 0)
        fail_msg("%s: %s, and not %s", change, said ? said : "nothing", rule);
}

static void test_each_rule(void **state) {
    (void)state;
    static const char not_interned[] = "f";
    BROKEN(ast->items.at[SHORT] = NULL, "a file lacks a definition, at 1:1");
    BROKEN(item(ast, SHORT)->kind = ITEM_TRAIN + 1, "there is no such kind of definition, at 2:1");
    BROKEN(item(ast, SHORT)->span.file++, "a span is not one of the file, at 1:1");
    BROKEN(sum_of(ast)->span.begin = sum_of(ast)->span.end + 1,
           "a span is not one of the file, at 1:1");
    BROKEN(item(ast, TRAIN)->span.end += 2, "a span reaches beyond the node that holds it, at 1:1");
    BROKEN(sum_of(ast)->chain.terms.at[0]->span.begin = 0,
           "a span reaches beyond the node that holds it, at 1:11");
    BROKEN(item(ast, SHORT)->name.text = NULL, "a name is empty, at 2:1");
    BROKEN(item(ast, SHORT)->name.text = "", "a name is empty, at 2:1");
    BROKEN(item(ast, SHORT)->name.text = not_interned, "a name is not interned, at 2:1");
    BROKEN(item(ast, CONSTANT)->constants.count = 0,
           "constants are defined by `const`, and by nothing else, at 1:1");
    BROKEN(item(ast, MODEL)->formals = item(ast, SHORT)->formals,
           "this kind of definition is not applied to anything, at 13:1");
    BROKEN(item(ast, CONSTANT)->body = item(ast, LONG)->body,
           "this kind of definition has no body, at 1:1");
    BROKEN(item(ast, BRANCH)->expression = sum_of(ast),
           "only a function is an expression, at 12:1");
    BROKEN(item(ast, SHORT)->expression = NULL,
           "a function is an expression or has results, at 2:1");
    BROKEN(item(ast, SHORT)->body = item(ast, LONG)->body,
           "a function is an expression or has a body, at 2:1");
    BROKEN(sum_of(ast)->kind = EXPR_ERROR + 1, "there is no such kind of expression, at 1:11");
    BROKEN(logic_of(ast)->logic.op = OP_OR + 1, "there is no such operator, at 5:11");
    BROKEN(logic_of(ast)->logic.terms.count = 1, "an expression has too few parts, at 5:11");
    BROKEN(tuple_of(ast)->tuple.at[1] = NULL, "an expression lacks a part, at 10:19");
    BROKEN(sum_of(ast)->chain.ops.count = 1,
           "a chain has an operator for each of its terms, at 1:11");
    BROKEN(sum_of(ast)->chain.ops.at[1] = OP_MUL, "a chain has another's operator, at 1:11");
    BROKEN(sum_of(ast)->chain.ops.at[0] = OP_SUB, "a chain has another's operator, at 1:11");
    BROKEN(sum_of(ast)->chain.terms.at[0]->number = NAN, "a number is not finite, at 1:11");
    BROKEN(call_of(ast)->call.callee->kind = EXPR_BOOL,
           "what is called is neither a name nor an entry of one, at 4:36");
    BROKEN(call_of(ast)->call.arguments.at[1].value = NULL, "an expression lacks a part, at 4:36");
    BROKEN(product_of(ast)->reduce.op = REDUCE_SOFTMAX + 1, "there is no such operator, at 4:14");
    BROKEN(product_of(ast)->reduce.ranges.count = 0,
           "a reduction has a range, or none, for each of its indices, at 4:14");
    BROKEN(sum_of(ast)->height++, "an expression is not one higher than what is below it, at 1:11");
    BROKEN(sum_of(ast)->height = 1,
           "an expression is not one higher than what is below it, at 1:11");
    BROKEN(stmt(ast, LONG, 0)->kind = STMT_ERROR + 1, "there is no such kind of statement, at 4:3");
    BROKEN(item(ast, LONG)->body.at[0] = NULL, "a body lacks a statement, at 3:1");
    BROKEN(stmt(ast, LONG, 0)->bindings.count = 0, "a statement has an empty list, at 4:3");
    BROKEN(stmt(ast, LONG, 0)->bindings.at[0].value = NULL, "a statement lacks a part, at 4:3");
    BROKEN(stmt(ast, LONG, 0)->bindings.at[0].target.bracketed = false,
           "brackets hold indices, and indices stand in brackets, at 4:7");
    BROKEN(stmt(ast, LONG, 1)->require.message = NULL, "a statement lacks a part, at 5:3");
    BROKEN(stmt(ast, CONNECTION, 0)->param.list.at[0].init_kind = INIT_DISTRIBUTION + 1,
           "there is no such kind of initialiser, at 8:3");
    BROKEN(stmt(ast, CONNECTION, 0)->param.list.at[0].init_kind = INIT_NONE,
           "a declaration has an initialiser of a kind, at 8:3");
    BROKEN(stmt(ast, CONNECTION, 0)->param.list.at[1].init->kind = EXPR_BOOL,
           "an expression is not one higher than what is below it, at 8:19");
    BROKEN(stmt(ast, CONNECTION, 1)->targets.count = 0, "a statement has an empty list, at 9:3");
    BROKEN(stmt(ast, CONNECTION, 2)->loop.name.text = NULL, "a name is empty, at 10:3");
    BROKEN(stmt(ast, BRANCH, 0)->branch.condition = NULL, "a statement lacks a part, at 12:27");
    BROKEN(stmt(ast, MODEL, 1)->input.type = NULL, "a statement lacks a part, at 15:3");
    BROKEN(site_of(ast)->site.branches.at[0] = trunk_of(ast)->trunk.input,
           "a span reaches beyond the node that holds it, at 16:22");
    BROKEN(site_of(ast)->site.connection = stmt(ast, TRAIN, 0)->setting.value,
           "a span reaches beyond the node that holds it, at 16:22");
    BROKEN(site_of(ast)->site.connection =
               site_of(ast)->site.branches.at[1]->call.arguments.at[0].value,
           "a use is neither a name nor a call, at 16:22");
    BROKEN(stmt(ast, MODEL, 2)->weight = sum_of(ast), "only a loss or metric is weighed, at 16:3");
    BROKEN(stmt(ast, TRAIN, 0)->setting.value = NULL, "a statement lacks a part, at 19:11");
    BROKEN(stmt(ast, TRAIN, 1)->data.source.text = NULL, "a name is empty, at 19:20");
}

static void test_the_library(void **state) {
    (void)state;
    Compilation *c = compilation_create();
    for (uint32_t k = 0; k < std_source_count; k++) {
        const StdSource *source = &std_sources[k];
        const uint32_t file = source_add(c->sources, source->name, source->text, source->length);
        assert_null(ast_verify(c, parse_file(c, file)));
    }
    compilation_destroy(c);
}

/* Every beginning of the text, and the text without any one of its characters. */
static void test_what_is_recovered(void **state) {
    (void)state;
    char broken[sizeof text];
    for (size_t k = 0; k < 2 * strlen(text); k++) {
        const size_t at = k / 2, length = k % 2 ? at : strlen(text) - 1;
        memcpy(broken, text, at);
        if (k % 2 == 0)
            memcpy(broken + at, text + at + 1, strlen(text) - at - 1);
        Compilation *c = compilation_create();
        const char *said =
            ast_verify(c, parse_file(c, source_add(c->sources, "test.hc", broken, length)));
        if (said)
            fail_msg("%s of:\n%.*s", said, (int)length, broken);
        compilation_destroy(c);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_rule),
        cmocka_unit_test(test_the_library),
        cmocka_unit_test(test_what_is_recovered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
