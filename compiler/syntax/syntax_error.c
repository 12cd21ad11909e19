/* From "these forty tokens could stand here" to a sentence.
 *
 * The expected tokens are folded into a few words ("an expression", "a statement", `;` ...) and the
 * token that was found decides on the place and on the help. */
#include "syntax/syntax_error.h"
#include "syntax/foreign.h"
#include "syntax/parser.h"
#include "syntax/words.h"
#include <stdlib.h>
#include <string.h>

typedef struct {
    const char *const *names;
    uint32_t count;
} Expected;

enum { LISTED = 4 };

static bool expects(const Expected *e, const char *name) {
    for (uint32_t k = 0; k < e->count; k++)
        if (strcmp(e->names[k], name) == 0)
            return true;
    return false;
}

void parser_report_nesting(Parser *p, Span at) {
    if (p->nesting_reported)
        return;
    p->nesting_reported = true;
    diag_error(p->c->diagnostics, DIAG_NESTING, at, "nested more than %d deep", AST_NESTING);
    diag_help(p->c->diagnostics, "name a part of it with `let` and use the name");
}

/* What is not worth saying about a missing end: it follows from something said before. */
static bool is_follower(const Parser *p, const Missing *missing) {
    if (*missing->text == '}')
        return false;
    if (*missing->text != ';')
        return p->last_error > missing->opened.begin; /* something else is wrong in the bracket */
    if (missing->at.begin == p->last_missing)
        return true; /* the bracket before it was left open */
    if (missing->found_kind == TOKEN_EOF && tokens_open_bracket(p->tokens))
        return true; /* the block will be */
    const char *text = source_text(p->c->sources, p->file, NULL);
    return p->previous.kind == TOKEN_STRING && text[missing->at.begin - 1] != '"';
}

bool parser_ended(Parser *p, const Missing *missing) {
    if (!missing)
        return true;
    if (is_follower(p, missing))
        return false;
    p->last_missing = missing->at.begin;
    Diagnostics *d = p->c->diagnostics;
    const char *found = token_describe(p->c, p->scratch, missing->found_kind, missing->found);
    if (*missing->text == '}') {
        p->block_unclosed = true;
        diag_error(d, DIAG_UNCLOSED, missing->opened, "this block is never closed");
        if (missing->found_kind != TOKEN_EOF)
            diag_note(d, missing->found, "`}` is missing before this");
        diag_help(d, "add `}` before %s", found);
    } else if (*missing->text == ';') {
        diag_error(d, DIAG_SYNTAX, missing->at, "expected `;` after the statement, found %s",
                   found);
    } else {
        diag_error(d, DIAG_UNCLOSED, missing->at, "expected `%s`, found %s", missing->text, found);
        diag_note(d, missing->opened, "opened here");
    }
    return false;
}

/* Between the attributes of a declaration. */
static bool in_attributes(const Expected *e) {
    return expects(e, "a name") && expects(e, ";") && !expects(e, "let") && !expects(e, "a number");
}

/* Writes the foldings of `e` into `words`; returns how many. */
static uint32_t expected_words(const Expected *e, const char *words[LISTED]) {
    /* After a whole expression only what ends or continues it matters, not `(` or `[`. */
    static const char *const ENDS[] = {";", ",", ")", "]", "}", "{", ":", "=", "->", "<=", "~"};
    static const char *const BEGINS[] = {"(", "[", "{", "}",  ")", "]",  ";",
                                         ":", ",", "=", "->", "~", "<=", "<"};
    bool after_operand = expects(e, "*") || expects(e, "^");
    bool statement = expects(e, "let"), expression = expects(e, "a number") && !statement;
    bool definition = expects(e, "connection") && !expects(e, "a name");
    uint32_t n = 0;
    if (statement)
        words[n++] = "a statement";
    if (expression)
        words[n++] = "an expression";
    if (definition)
        words[n++] = "a definition";
    if (!statement && !expression && expects(e, "a name"))
        words[n++] = after_operand || in_attributes(e) ? "an attribute" : "a name";
    if (expects(e, "else") && e->count <= 3)
        words[n++] = "`else`";
    const char *const *signs = after_operand ? ENDS : BEGINS;
    uint32_t n_signs = after_operand ? sizeof ENDS / sizeof *ENDS : sizeof BEGINS / sizeof *BEGINS;
    for (uint32_t k = 0; k < n_signs && n < LISTED; k++) {
        bool part_of = (expression || statement || definition) && strchr("([{;", *signs[k]);
        bool comparison = strcmp(signs[k], "<=") == 0 && expects(e, "<");
        if (expects(e, signs[k]) && !part_of && !comparison)
            words[n++] = signs[k];
    }
    if (after_operand && n < LISTED && expects(e, "*"))
        words[n++] = "an operator";
    if (n == 0 && expects(e, "the end of the file"))
        words[n++] = "the end of the text";
    return n;
}

static bool is_sign(const char *word) {
    return strchr("();:,=[]{}-~<", *word) != NULL;
}

static const char *expected_sentence(Parser *p, const Expected *e) {
    const char *words[LISTED];
    uint32_t n = expected_words(e, words);
    const char *sentence = "";
    for (uint32_t k = 0; k < n; k++) {
        const char *between = k == 0 ? "" : k + 1 == n ? " or " : ", ";
        const char *quote = is_sign(words[k]) ? "`" : "";
        sentence =
            arena_printf(p->scratch, "%s%s%s%s%s", sentence, between, quote, words[k], quote);
    }
    return n ? sentence : NULL;
}

static const char *token_text(const Parser *p, Span span) {
    size_t length;
    const char *text = source_text(p->c->sources, span.file, &length);
    return arena_copy_string(p->scratch, text + span.begin, span.end - span.begin);
}

/* A statement or definition that begins with a misspelt word. */
static bool help_misspelt(Parser *p, const Expected *e) {
    const Token *first = tokens_statement_start(p->tokens);
    if (first->kind != TOKEN_NAME)
        return false;
    const char *foreign = foreign_help(token_text(p, first->span), FOREIGN_BEGINS);
    if (foreign) {
        diag_help(p->c->diagnostics, "%s", foreign);
        return true;
    }
    uint32_t count;
    bool top = first->span.begin == p->current.span.begin && expects(e, "connection");
    const char *const *words = top ? word_definitions(&count) : word_statements(&count);
    const char *meant = nearest_name(token_text(p, first->span), words, count);
    if (!meant)
        return false;
    diag_help(p->c->diagnostics, "did you mean `%s`?", meant);
    return true;
}

/* `held_out = 10%;` */
static void help_per_cent(Parser *p) {
    const char *text = source_text(p->c->sources, p->file, NULL);
    uint32_t begin = p->previous.span.begin;
    while (begin && ((text[begin - 1] >= '0' && text[begin - 1] <= '9') || text[begin - 1] == '.'))
        begin--;
    const double number = strtod(text + begin, NULL);
    diag_help(p->c->diagnostics,
              begin < p->previous.span.begin
                  ? "`%%` is the rest of a division; a fraction is written as one: `%.10g`"
                  : "`a %% b` is the rest of a division",
              number / 100);
}

static bool is_comparison(int kind) {
    return kind == TOKEN_LT || kind == TOKEN_LE || kind == TOKEN_GT || kind == TOKEN_GE ||
           kind == TOKEN_EQ || kind == TOKEN_NE;
}

static void report_help(Parser *p, const Expected *e, int found, Span found_at) {
    Diagnostics *d = p->c->diagnostics;
    bool in_block = expects(e, "let") && expects(e, "}");
    bool at_top = expects(e, "connection") && !expects(e, "a name");
    if (tokens_statement_start(p->tokens)->kind == TOKEN_FOR && expects(e, "<") && !expects(e, "*"))
        diag_help(d, "a loop is written `for k < n { … }`; sites of a trunk are repeated by "
                     "`repeat n { … }`");
    else if (p->previous.kind == TOKEN_PERCENT && expects(e, "a number"))
        help_per_cent(p);
    else if (is_comparison(found) && expects(e, "&&"))
        diag_help(d, "comparisons do not chain: write `a < b && b < c`");
    else if (found == TOKEN_STAR && p->previous.kind == TOKEN_STAR)
        diag_help(d, "a power is written `a ^ b`");
    else if (found == TOKEN_ASSIGN && p->previous.kind == TOKEN_ASSIGN)
        diag_help(d, "equality is written `==`, without a space");
    else if (in_block && word_begins_definition(found))
        diag_help(d, "definitions stand at the top of a file, not inside a block");
    else if (at_top && (found == TOKEN_LET || found == TOKEN_PARAM || found == TOKEN_IF))
        diag_help(d, "statements stand inside a `model`, `connection`, `branch` or `fn`");
    else if (p->previous.kind == TOKEN_REDUCTION && found != TOKEN_EOF)
        diag_help(d, "a reduction names its indices: `sum[i] a[i]`");
    else if (found == TOKEN_TRUNK && expects(e, "a number"))
        diag_help(d, "a trunk is a value of its own: `let h = trunk(x) { … };`");
    else if (word_is_reserved(found) && expects(e, "a name") && !expects(e, "*") && !in_block &&
             found_at.file)
        diag_help(d, "`%s` is a reserved word and cannot be a name", token_text(p, found_at));
    else if (found == TOKEN_COMMA && in_attributes(e) && !expects(e, ","))
        diag_help(d, "attributes come last and hold for all of the declaration's tensors; end it "
                     "with `;` and begin another");
    else if (help_misspelt(p, e))
        return;
    else if (found == TOKEN_ASSIGN && expects(e, "=="))
        diag_help(d, "equality is written `==`");
    else if (found == TOKEN_COLON && expects(e, "=") && !expects(e, "*") && !expects(e, ")"))
        diag_help(d, p->previous.kind == TOKEN_NAME &&
                             tokens_statement_start(p->tokens)->span.begin == p->previous.span.begin
                         ? "a site has a name: `attn = residual : attention(4);`"
                         : "a definition is written `name = value`");
}

void parser_report_unexpected(Parser *p, const char *const *names, uint32_t count) {
    Expected e = {names, count};
    const bool at_top = expects(&e, "connection") && !expects(&e, "a name");
    if (at_top && p->lost_at_top)
        return; /* the rest of what was no definition */
    p->lost_at_top = at_top;
    const Missing *missing = p->current.missing;
    int found = missing ? missing->found_kind : p->current.kind;
    Span found_at = missing ? missing->found : p->current.span;
    p->last_error = found_at.begin + 1;
    const char *sentence = expected_sentence(p, &e);
    const char *description = token_describe(p->c, p->scratch, found, found_at);
    /* Nothing is written where a virtual token stands: point behind the last word instead. */
    Span behind = {p->file, p->previous.span.end, p->previous.span.end};
    Span at = missing && found != TOKEN_SEMICOLON ? missing->at : found_at;
    if (p->current.first_on_line && !missing && expects(&e, ";") && !expects(&e, "let") &&
        !expects(&e, "connection"))
        diag_error(p->c->diagnostics, DIAG_SYNTAX, behind,
                   "expected `;` after the statement, found %s", description);
    else if (sentence)
        diag_error(p->c->diagnostics, DIAG_SYNTAX, at, "expected %s, found %s", sentence,
                   description);
    else
        diag_error(p->c->diagnostics, DIAG_SYNTAX, at, "%s cannot stand here", description);
    report_help(p, &e, found, found_at);
}
