/* The front end: what the language's examples look like as a tree, where errors are placed, and
 * that no input, however large, deep or broken, takes the parser down. */
#include "base/map.h"
#include "syntax/ast_verify.h"
#include "syntax/parse.h"
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
// cmocka wants the headers above
#include <cmocka.h>

typedef struct {
    Compilation *c;
    Ast *ast;
} Parsed;

static Parsed parse_bytes(const char *text, size_t length) {
    Compilation *c = compilation_create();
    assert_non_null(c);
    uint32_t file = source_add(c->sources, "test.hc", text, length);
    Ast *ast = parse_file(c, file);
    const char *broken = ast_verify(c, ast); /* of whatever was recovered, too */
    if (broken)
        fail_msg("%s of:\n%.*s", broken, (int)length, text);
    return (Parsed){c, ast};
}

static Parsed parse(const char *text) {
    return parse_bytes(text, strlen(text));
}

static char *captured(void (*print)(const Parsed *, FILE *), const Parsed *parsed) {
    char *text = NULL;
    size_t size;
    FILE *to = open_memstream(&text, &size);
    print(parsed, to);
    fclose(to);
    char *copy = strdup(text); /* gcc takes the stream's own buffer for a dangling one */
    free(text);
    return copy;
}

static void print_errors(const Parsed *parsed, FILE *to) {
    diag_render_text(parsed->c->diagnostics, to, false);
}

/* All of them, where text stops at twenty. */
static void print_json(const Parsed *parsed, FILE *to) {
    diag_render_json(parsed->c->diagnostics, to);
}

static void print_dump(const Parsed *parsed, FILE *to) {
    ast_dump(parsed->c, parsed->ast, to);
}

static void expect_no_errors(const Parsed *parsed) {
    char *errors = captured(print_errors, parsed);
    assert_string_equal(errors, "");
    free(errors);
}

static void expect_dump(const char *text, const char *expected) {
    Parsed parsed = parse(text);
    expect_no_errors(&parsed);
    char *dump = captured(print_dump, &parsed);
    assert_string_equal(dump, expected);
    free(dump);
    compilation_destroy(parsed.c);
}

/* All of `errors` ("line:column: part of the message", ended by NULL) and no others. */
static void expect_errors(const char *text, size_t length, const char *const *errors) {
    Parsed parsed = parse_bytes(text, length);
    char *rendered = captured(print_errors, &parsed);
    uint32_t count = 0;
    for (; errors[count]; count++)
        if (!strstr(rendered, errors[count]))
            fail_msg("no `%s` in\n%s", errors[count], rendered);
    if (diag_error_count(parsed.c->diagnostics) != count)
        fail_msg("not %u errors:\n%s", count, rendered);
    free(rendered);
    compilation_destroy(parsed.c);
}

#define EXPECT_ERRORS(text, ...)                                                                   \
    expect_errors(text, sizeof(text) - 1, (const char *const[]){__VA_ARGS__, NULL})

/* --- what the language's description shows -----------------------------------------------------*/

static const char NETWORK[] =
    "use std;\n"
    "\n"
    "/// A character model whose residual wiring is one word.\n"
    "model shakespeare {\n"
    "  const vocab = 256, context = 64, d = 128, heads = 4, blocks = 4, n = 4, wiring = mhc;\n"
    "  positions t <= context;\n"
    "\n"
    "  input  tokens[t] : token(vocab);\n"
    "  target next[t]   : token(vocab);\n"
    "\n"
    "  param E[vocab, d] ~ normal(0.02);\n"
    "  let x = embed(tokens, E) + position(t);\n"
    "\n"
    "  let h = trunk(x) {\n"
    "    repeat blocks {\n"
    "      attn = wiring : attention(heads, causal = true);\n"
    "      mlp  = wiring : mlp(4 * d, act = gelu);\n"
    "    }\n"
    "  };\n"
    "\n"
    "  let logits[v] = sum[c] E[v,c] * h[c];\n"
    "  loss cross_entropy(logits, next);\n"
    "}\n"
    "\n"
    "train shakespeare {\n"
    "  data      text { tokens[t] = bytes[t]; next[t] = bytes[t + 1]; held_out = 0.1; }\n"
    "  optimizer adamw(lr = 1e-3, betas = (0.9, 0.99), weight_decay = 0.1);\n"
    "  schedule  cosine(warmup = 100, floor = 0.1);\n"
    "  batch 12; steps 2000; clip 1.0; seed 1;\n"
    "}\n";

static const char CONNECTIONS[] =
    "/// Pre-norm residual.\n"
    "connection residual(norm = rmsnorm) {\n"
    "  state h[d];\n"
    "  begin h = x;\n"
    "  read  x = norm(h);\n"
    "  write h[c] = h[c] + y[c];\n"
    "  end   x = norm(h);\n"
    "}\n"
    "/// Static hyper-connections. Zhu et al. 2024, arXiv:2409.19606, Algorithm 2.\n"
    "connection shc(n = 4, norm = rmsnorm) {        // n: a model's constant of that name, else 4\n"
    "  state H[n, d];\n"
    "  param Am[n]    = onehot(site % n)  nodecay;   // depth connection: what the branch reads\n"
    "  param Ar[n, n] = identity          nodecay;   // width connection: destination, source\n"
    "  param B[n]     = 1                 nodecay;   // where the branch's output lands\n"
    "  begin H[i,c] = x[c];\n"
    "  let u[c]     = sum[i] Am[i] * H[i,c];\n"
    "  read  x      = norm(u);\n"
    "  write H[k,c] = sum[j] Ar[k,j] * H[j,c] + B[k] * y[c];\n"
    "  let s[c]     = sum[i] H[i,c];\n"
    "  end   x      = norm(s);\n"
    "}\n"
    "connection mhc(n = 4, iters = 20, norm = rmsnorm) {\n"
    "  state H[n, d];\n"
    "  param P[n, n, d], Q[n, n, d], R[n, n, n, d] ~ normal(0.02);   // to read, write and mixing\n"
    "  param bp[n]    = 6 * onehot(site % n) - 3  nodecay;\n"
    "  param bq[n]    = 0                         nodecay;\n"
    "  param br[n, n] = 8 * identity - 8          nodecay;\n"
    "  param ap = 0.01, aq = 0.01, ar = 0.01      nodecay;\n"
    "  begin H[i,c] = x[c];\n"
    "  let r        = rsqrt(mean[i,c] H[i,c]^2 + 1e-6);\n"
    "  let pre[i]   = sigmoid(ap * r * (sum[j,c] P[i,j,c] * H[j,c]) + bp[i]);\n"
    "  let post[k]  = 2 * sigmoid(aq * r * (sum[j,c] Q[k,j,c] * H[j,c]) + bq[k]);\n"
    "  let L[k,j]   = ar * r * (sum[i,c] R[k,j,i,c] * H[i,c]) + br[k,j];\n"
    "  let M        = sinkhorn(L, iters);\n"
    "  probe M;\n"
    "  let u[c]     = sum[i] pre[i] * H[i,c];\n"
    "  read  x      = norm(u);\n"
    "  write H[k,c] = sum[j] M[k,j] * H[j,c] + post[k] * y[c];\n"
    "  let s[c]     = sum[i] H[i,c];\n"
    "  end   x      = norm(s);\n"
    "}\n"
    "fn sinkhorn(L[n, n], iters) -> M[n, n] {\n"
    "  let K[k,j] = exp(L[k,j] - max[i] L[i,j]);\n"
    "  let u[k] = 1, v[j] = 1;\n"
    "  iterate iters {\n"
    "    v[j] = 1 / sum[k] u[k] * K[k,j];\n"
    "    u[k] = 1 / sum[j] K[k,j] * v[j];\n"
    "  }\n"
    "  let M[k,j] = u[k] * K[k,j] * v[j];\n"
    "}\n";

static const char BRANCH[] =
    "branch attention(heads, causal = true) : x[d] -> y[d] {\n"
    "  const e = d / heads;\n"
    "  param Wq[heads, e, d], Wk[heads, e, d], Wv[heads, e, d] ~ normal(0.02);\n"
    "  param Wo[d, heads, e] ~ normal(0.02 / sqrt(2 * blocks));\n"
    "  let q[h,a] = sum[c] Wq[h,a,c] * x[c];\n"
    "  let k[h,a] = sum[c] Wk[h,a,c] * x[c];\n"
    "  let v[h,a] = sum[c] Wv[h,a,c] * x[c];\n"
    "  let o      = attend(rope(q), rope(k), v, causal = causal);    // whole tensors [heads, e]\n"
    "  let y[c]   = sum[h,a] Wo[c,h,a] * o[h,a];\n"
    "}\n";

static const char THE_REST[] =
    "branch attention(heads) : q[d], k[d] = q, v[d] = q -> y[d] { }\n"
    "branch plain : x[d] -> y[d], z[e] { penalty 0.1 * sum[c] x[c]^2; }\n"
    "fn counted(n) -> y { let y = 0; for k < 2 * n { y = y + k; } }\n"
    "module head : x[d] -> y[d] { param E[v, d] ~ normal(0.02) freeze lr(0.1); }\n"
    "fn swish(x) = x * sigmoid(x);\n"
    "const a = 1, b[i, j] = i + j;\n"
    "connection carrying { state X[depth, d], Y[d]; carry v[n] = 0; write X = append(X, y); }\n"
    "model m {\n"
    "  positions (r <= 8, c <= 8);\n"
    "  if n == 1 && !(a < b) { const e = 1; } else if n != 2 || true { } else { const e = 2; }\n"
    "  let h = trunk(x) { s = a : b & c(2); };\n"
    "  require n > 0 || m == 2, \"too few\"; let require = 1;\n"
    "  metric accuracy(logits, next);\n"
    "  let w = softmax[k] x[k], z = x[2*a + b, -i % 3], s = max(a, min(b, c)) ^ -2;\n"
    "  let read = write + begin; let data[input] = target; /* words of ours are names here */\n"
    "}\n";

static void the_examples_parse(void **state) {
    (void)state;
    const char *const examples[] = {NETWORK, CONNECTIONS, BRANCH};
    for (size_t k = 0; k < sizeof examples / sizeof *examples; k++) {
        Parsed parsed = parse(examples[k]);
        expect_no_errors(&parsed);
        assert_true(parsed.ast->items.count > 0);
        compilation_destroy(parsed.c);
    }
}

static void everything_else_parses(void **state) {
    (void)state;
    Parsed parsed = parse(THE_REST);
    expect_no_errors(&parsed);
    assert_int_equal(parsed.ast->items.count, 8);
    compilation_destroy(parsed.c);
}

static void the_dump_is_stable(void **state) {
    (void)state;
    for (int round = 0; round < 2; round++)
        expect_dump(
            "/// Doc.\nfn f(x, n = 2) = -x[i]^2 * n - sum[k, j] a[k] * \"s\" + max(1e-3, y);\n",
            "fn f  @2:1-2:68\n"
            "  formal x  @2:6-2:7\n"
            "  formal n  @2:9-2:10\n"
            "    2  @2:13-2:14\n"
            "  sum of  @2:18-2:67\n"
            "    +  @2:18-2:29\n"
            "      product of  @2:18-2:29\n"
            "        *  @2:18-2:25\n"
            "          negate  @2:18-2:25\n"
            "            power  @2:19-2:25\n"
            "              index  @2:19-2:23\n"
            "                x  @2:19-2:20\n"
            "                i  @2:21-2:22\n"
            "              2  @2:24-2:25\n"
            "        *  @2:28-2:29\n"
            "          n  @2:28-2:29\n"
            "    -  @2:32-2:52\n"
            "      sum[k, j]  @2:32-2:52\n"
            "        product of  @2:42-2:52\n"
            "          *  @2:42-2:46\n"
            "            index  @2:42-2:46\n"
            "              a  @2:42-2:43\n"
            "              k  @2:44-2:45\n"
            "          *  @2:49-2:52\n"
            "            string \"s\"  @2:49-2:52\n"
            "    +  @2:55-2:67\n"
            "      call max  @2:55-2:67\n"
            "        0.001  @2:59-2:63\n"
            "        y  @2:65-2:66\n");
}

static void a_reduction_takes_the_term_to_its_right(void **state) {
    (void)state;
    Parsed parsed = parse("const a = 1 / sum[k] u[k] * K[k,j] + 2;");
    expect_no_errors(&parsed);
    const Expr *sum = parsed.ast->items.at[0]->constants.at[0].value;
    assert_int_equal(sum->kind, EXPR_SUM);
    assert_int_equal(sum->chain.terms.count, 2);
    const Expr *quotient = sum->chain.terms.at[0];
    assert_int_equal(quotient->kind, EXPR_PRODUCT);
    assert_int_equal(quotient->chain.terms.count, 2);
    assert_int_equal(quotient->chain.ops.at[1], OP_DIV);
    const Expr *reduce = quotient->chain.terms.at[1];
    assert_int_equal(reduce->kind, EXPR_REDUCE);
    assert_int_equal(reduce->reduce.operand->kind, EXPR_PRODUCT);
    assert_int_equal(reduce->reduce.operand->chain.terms.count, 2);
    compilation_destroy(parsed.c);
}

static void parentheses_end_a_chain(void **state) {
    (void)state;
    Parsed parsed =
        parse("const a = (1 + 2) + 3, b = 1 + (2 + 3), c = 2 ^ 3 ^ 4, d = !x && y && z;");
    expect_no_errors(&parsed);
    const BindingList *list = &parsed.ast->items.at[0]->constants;
    assert_int_equal(list->at[0].value->chain.terms.count, 2);
    assert_true(list->at[0].value->chain.terms.at[0]->parenthesised);
    assert_int_equal(list->at[1].value->chain.terms.count, 2);
    assert_int_equal(list->at[2].value->power.base->kind, EXPR_NUMBER); /* to the right */
    assert_int_equal(list->at[3].value->logic.terms.count, 3);
    compilation_destroy(parsed.c);
}

static void a_declaration_takes_the_next_initialiser(void **state) {
    (void)state;
    Parsed parsed = parse("connection c { param a, b[n] = 1, d, e ~ normal(0.02), f nodecay; }");
    expect_no_errors(&parsed);
    const Stmt *s = parsed.ast->items.at[0]->body.at[0];
    const ParamDecl *p = s->param.list.at;
    assert_int_equal(s->param.list.count, 5);
    assert_int_equal(p[0].init_kind, INIT_VALUE);
    assert_ptr_equal(p[0].init, p[1].init);
    assert_int_equal(p[2].init_kind, INIT_DISTRIBUTION);
    assert_ptr_equal(p[2].init, p[3].init);
    assert_int_equal(p[4].init_kind, INIT_NONE);
    assert_int_equal(s->param.attributes.count, 1);
    compilation_destroy(parsed.c);
}

static void doc_comments_reach_what_they_stand_above(void **state) {
    (void)state;
    Parsed parsed =
        parse("//// a ruler\n/// One\r\n/// two.\nmodel m {\n  /// Three\n  let a = 1;\n"
              "  // none\n  let b = 1;\n}\nuse std;\n");
    expect_no_errors(&parsed);
    const Item *m = parsed.ast->items.at[0];
    assert_string_equal(m->doc, "One\ntwo.");
    assert_string_equal(m->body.at[0]->doc, "Three");
    assert_null(m->body.at[1]->doc);
    assert_null(parsed.ast->items.at[1]->doc);
    compilation_destroy(parsed.c);
}

static void an_expression_alone_parses(void **state) {
    (void)state;
    Compilation *c = compilation_create();
    const char *texts[] = {"4 * d", "mhc", "8 in 2 * 2", "in", "2 *", "1; 2", "", "(1", "8 in"};
    for (uint32_t k = 0; k < 9; k++) {
        uint32_t file = source_add(c->sources, "--set d", texts[k], strlen(texts[k]));
        Expr *parts;
        Expr *e = parse_value(c, file, &parts);
        assert_int_equal(e != NULL, k < 4);
        assert_int_equal(parts != NULL, k == 2);
    }
    assert_int_equal(diag_error_count(c->diagnostics), 5);
    compilation_destroy(c);
}

static void numbers_do_not_depend_on_the_locale(void **state) {
    (void)state;
    const char *locales[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "C"};
    for (int k = 0; k < 3; k++) {
        setlocale(LC_ALL, locales[k]); /* where there is none of that name, nothing changes */
        expect_dump("const a = 0.5;",
                    "const  @1:1-1:15\n  bind a  @1:7-1:8\n    0.5  @1:11-1:14\n");
    }
    setlocale(LC_ALL, "C");
}

/* --- errors ------------------------------------------------------------------------------------*/

static void every_error_of_a_file_is_reported(void **state) {
    (void)state;
    EXPECT_ERRORS("fn f(x) -> y {\n"
                  "  let = 1;\n"
                  "  let = 2;\n"
                  "  let a = f(x 1, 2 3);\n"
                  "  let b = (;\n"
                  "  let c = 1\n"
                  "}\n"
                  "conection c { let = 3; }\n"
                  "model m { if = { let = 4; } else { let = 5; } let }\n",
                  "2:7\n", "3:7\n", "4:15\n", "4:20\n", "5:12\n", "6:12\n", "8:1\n", "8:19\n",
                  "9:14\n", "9:22\n", "9:40\n", "9:50\n");
}

static void a_missing_semicolon_is_placed_behind_the_statement(void **state) {
    (void)state;
    EXPECT_ERRORS("model m {\n  let a = 1   // one\n  let b = 2;\n}\n",
                  "expected `;` after the statement, found `let`\n  test.hc:2:12\n");
}

static void strange_bytes_are_reported_and_passed_over(void **state) {
    (void)state;
    EXPECT_ERRORS("fn f(x) = x\0;\nfn g(x) = \xFF\xFEx;\nfn h(x) = ;\n", "1:12\n", "2:11\n",
                  "3:11\n");
    Parsed parsed = parse("\xEF\xBB\xBF// a mark, and\r\nfn f(x) = x;\r\n");
    expect_no_errors(&parsed);
    compilation_destroy(parsed.c);
    EXPECT_ERRORS("fn f(x) = x;\n\xEF\xBB\xBF", "E0102");
}

static void text_that_stops_anywhere_is_survived(void **state) {
    (void)state;
    const char *const texts[] = {NETWORK, CONNECTIONS, THE_REST};
    for (size_t k = 0; k < sizeof texts / sizeof *texts; k++)
        for (size_t length = 0; length < strlen(texts[k]); length += 3) {
            Parsed parsed = parse_bytes(texts[k], length);
            char *dump = captured(print_dump, &parsed);
            free(dump);
            free(captured(print_errors, &parsed));
            compilation_destroy(parsed.c);
        }
}

static void text_with_a_hole_anywhere_is_survived(void **state) {
    (void)state;
    size_t length = strlen(CONNECTIONS);
    char *text = malloc(length + 1);
    for (size_t hole = 0; hole < length; hole += 7) {
        memcpy(text, CONNECTIONS, length + 1);
        size_t size = 1 + hole % 5;
        memset(text + hole, "(){}[];,=x"[hole % 10], hole + size < length ? size : 1);
        Parsed parsed = parse(text);
        free(captured(print_dump, &parsed));
        compilation_destroy(parsed.c);
    }
    free(text);
}

/* --- size and depth ----------------------------------------------------------------------------*/

enum { MANY = 100000 };

/* `before`, then `unit` MANY times, then `after`. */
static char *repeated(const char *before, const char *unit, const char *after) {
    size_t size = strlen(unit);
    char *text = malloc(strlen(before) + size * MANY + strlen(after) + 1), *to = text;
    to = stpcpy(to, before);
    for (int k = 0; k < MANY; k++)
        to = stpcpy(to, unit);
    strcpy(to, after);
    return text;
}

static void long_chains_are_flat(void **state) {
    (void)state;
    const char *units[] = {" + x", " - 2 * x", " * x", " && x", " || x"};
    for (int k = 0; k < 5; k++) {
        char *text = repeated("const a = x", units[k], ";");
        Parsed parsed = parse(text);
        expect_no_errors(&parsed);
        const Expr *e = parsed.ast->items.at[0]->constants.at[0].value;
        uint32_t terms = k < 3 ? e->chain.terms.count : e->logic.terms.count;
        assert_int_equal(terms, MANY + 1);
        assert_true(e->height <= 3);
        compilation_destroy(parsed.c);
        free(text);
    }
}

static void long_lists_are_fine(void **state) {
    (void)state;
    const char *parts[][3] = {{"const a = f(1", ", 2", ");"},
                              {"const a = x[1", ", i", "];"},
                              {"const a = (1", ", 2", ");"},
                              {"const a = 1", ", b = 2", ";"},
                              {"fn f(x) -> y { ", "let a = 1; ", "}"},
                              {"", "use std; ", ""},
                              {"", "/* */ // x\n", ""}};
    for (int k = 0; k < 7; k++) {
        char *text = repeated(parts[k][0], parts[k][1], parts[k][2]);
        Parsed parsed = parse(text);
        expect_no_errors(&parsed);
        compilation_destroy(parsed.c);
        free(text);
    }
}

static void deep_nesting_is_refused(void **state) {
    (void)state;
    const char *parts[][3] = {{"const a = ", "(", "x;"},
                              {"const a = ", "-", "x;"},
                              {"const a = ", "!", "x;"},
                              {"const a = 2", " ^ 2", ";"},
                              {"const a = x", "[0]", ";"},
                              {"const a = x", "[x", ";"},
                              {"const a = ", "f(", ";"},
                              {"const a = ", "sum[i] ", "x;"},
                              {"const a = ", "-sum[i] ", "x;"},
                              {"fn f(x) -> y { ", "if x { ", ""},
                              {"fn f(x) -> y { if x { } ", "else if x { } ", "}"},
                              {"model m { ", "let h = trunk(x) { repeat 2 { ", ""},
                              {"", "{", ""},
                              {"const a = x", "^-(", ";"}};
    for (size_t k = 0; k < sizeof parts / sizeof *parts; k++) {
        char *text = repeated(parts[k][0], parts[k][1], parts[k][2]);
        Parsed parsed = parse(text);
        char *errors = captured(print_json, &parsed);
        if (!strstr(errors, "E0501"))
            fail_msg("%s: no E0501 in\n%s", parts[k][1], errors);
        free(errors);
        free(captured(print_dump, &parsed));
        compilation_destroy(parsed.c);
        free(text);
    }
}

static void nesting_up_to_the_limit_is_fine(void **state) {
    (void)state;
    char text[2048] = "const a = ";
    for (int k = 0; k < AST_NESTING; k++)
        strcat(text, "(");
    strcat(text, "x");
    for (int k = 0; k < AST_NESTING; k++)
        strcat(text, ")");
    strcat(text, ", b = ");
    for (int k = 0; k < AST_NESTING - 1; k++)
        strcat(text, "-");
    strcat(text, "x;");
    Parsed parsed = parse(text);
    expect_no_errors(&parsed);
    compilation_destroy(parsed.c);
}

static void huge_words_are_fine(void **state) {
    (void)state;
    const char *parts[][2] = {
        {"const n", " = 1;"}, {"const a = 1.0", ";"}, {"const a = \"n", "\";"}};
    for (int k = 0; k < 3; k++) {
        char *text = repeated(parts[k][0], k == 1 ? "0" : "name", parts[k][1]);
        Parsed parsed = parse(text);
        expect_no_errors(&parsed);
        compilation_destroy(parsed.c);
        free(text);
    }
    char *text = repeated("const a = b ", "name", ";"); /* and quoted in short */
    Parsed parsed = parse(text);
    char *errors = captured(print_errors, &parsed);
    assert_true(strlen(errors) < 1000);
    free(errors);
    compilation_destroy(parsed.c);
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_examples_parse),
        cmocka_unit_test(everything_else_parses),
        cmocka_unit_test(the_dump_is_stable),
        cmocka_unit_test(a_reduction_takes_the_term_to_its_right),
        cmocka_unit_test(parentheses_end_a_chain),
        cmocka_unit_test(a_declaration_takes_the_next_initialiser),
        cmocka_unit_test(doc_comments_reach_what_they_stand_above),
        cmocka_unit_test(an_expression_alone_parses),
        cmocka_unit_test(numbers_do_not_depend_on_the_locale),
        cmocka_unit_test(every_error_of_a_file_is_reported),
        cmocka_unit_test(a_missing_semicolon_is_placed_behind_the_statement),
        cmocka_unit_test(strange_bytes_are_reported_and_passed_over),
        cmocka_unit_test(text_that_stops_anywhere_is_survived),
        cmocka_unit_test(text_with_a_hole_anywhere_is_survived),
        cmocka_unit_test(long_chains_are_flat),
        cmocka_unit_test(long_lists_are_fine),
        cmocka_unit_test(deep_nesting_is_refused),
        cmocka_unit_test(nesting_up_to_the_limit_is_fine),
        cmocka_unit_test(huge_words_are_fine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
