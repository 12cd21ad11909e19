#include "runtime/tokens/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

struct HcPattern {
    pcre2_code *code;
    pcre2_match_data *found;
    pcre2_match_context *context;
    pcre2_jit_stack *stack;
};

const char hc_pattern_gpt2[] =
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

/* --- from one dialect to the other -------------------------------------------------------------*/

typedef struct {
    const char *at, *end;
    const char *why; /* it cannot be; NULL: it can */
    bool in_class;
    char *to;
} Translation;

static bool among(char c, const char *characters) {
    return c != '\0' && strchr(characters, c);
}

static void copy(Translation *t, size_t n) {
    memcpy(t->to, t->at, n);
    t->to += n;
    t->at += n;
}

static void put(Translation *t, const char *text) {
    t->to = stpcpy(t->to, text);
}

/* \p{L}, \P{Lu}, \p{^N} */
static void property(Translation *t) {
    const char *close = memchr(t->at, '}', (size_t)(t->end - t->at));
    if (t->end - t->at < 4 || t->at[2] != '{' || !close)
        t->why = "`\\p` without {...}";
    else
        copy(t, (size_t)(close - t->at) + 1);
}

static void escape(Translation *t) {
    const char c = t->end - t->at > 1 ? t->at[1] : '\0';
    if (c == 's' || c == 'S') { /* U+180E is none of them any more */
        put(t, c == 's' ? "\\p{White_Space}" : "\\P{White_Space}");
        t->at += 2;
    } else if (c == 'p' || c == 'P') {
        property(t);
    } else if (among(c, "rntfdD")) {
        copy(t, 2);
    } else if ((c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') ||
               (c >= '{' && c <= '~')) {
        copy(t, 2);
    } else {
        t->why = "an escape that is not \\s \\S \\d \\D \\p \\P \\r \\n \\t \\f or a sign";
    }
}

static void group(Translation *t) {
    static const char *const kinds[] = {"(?:", "(?i:", "(?=", "(?!", "(?<=", "(?<!", "(?>"};
    const char next = t->end - t->at > 1 ? t->at[1] : '\0';
    if (next != '?' && next != '*') { /* (*NAME) are words to PCRE2 */
        copy(t, 1);
        return;
    }
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        const size_t n = strlen(kinds[k]);
        if ((size_t)(t->end - t->at) >= n && memcmp(t->at, kinds[k], n) == 0) {
            copy(t, n);
            return;
        }
    }
    t->why = "a group that is not (...) (?:...) (?i:...) (?>...) or a look around";
}

/* {1,3}: behind it `+` is possessive in one dialect, and repeats it in the other. */
static void repetition(Translation *t) {
    const char *close = memchr(t->at, '}', (size_t)(t->end - t->at));
    const size_t n = close ? (size_t)(close - t->at) : 0;
    if (n < 2 || strspn(t->at + 1, "0123456789,") < n - 1 || t->at[1] == ',')
        t->why = "a `{` that is no {N}, {N,} or {N,M}";
    else if (close + 1 < t->end && close[1] == '+')
        t->why = "`}+`, which means two things";
    else
        copy(t, n + 1);
}

static void in_class(Translation *t) {
    const char c = *t->at;
    if (c == '[' || (c == '&' && t->end - t->at > 1 && t->at[1] == '&')) {
        t->why = "a class within a class";
    } else if (c == '\\') {
        escape(t);
    } else {
        t->in_class = c != ']';
        copy(t, 1);
    }
}

static void step(Translation *t) {
    const char c = *t->at;
    if (t->in_class) {
        in_class(t);
    } else if (c == '\\') {
        escape(t);
    } else if (c == '(') {
        group(t);
    } else if (c == '{') {
        repetition(t);
    } else if (among(c, "^$.")) {
        t->why = "`^`, `$` or `.`, which mean other things at line ends";
    } else if (c == '[') {
        t->in_class = true;
        copy(t, 1);
        if (t->at < t->end && *t->at == '^')
            copy(t, 1);
        if (t->at < t->end && *t->at == ']')
            t->why = "a class that begins with `]`";
    } else {
        copy(t, 1);
    }
}

/* --- compiling ---------------------------------------------------------------------------------*/

enum { STACK = 32 << 10, MOST_STACK = 16 << 20, MOST_TEXT = 64 << 10 };

static HcStatus compile(const char *text, size_t length, uint32_t options, const char *where,
                        HcPattern **pattern, HcError *error) {
    HcPattern *p = calloc(1, sizeof *p);
    int code;
    PCRE2_SIZE at;
    *pattern = NULL;
    if (!p)
        return hc_fail_memory(error, "a pattern");
    p->code = pcre2_compile((PCRE2_SPTR)text, length, PCRE2_UTF | options, &code, &at, NULL);
    if (!p->code) {
        char why[120];
        pcre2_get_error_message(code, (PCRE2_UCHAR *)why, sizeof why);
        hc_pattern_free(p);
        return hc_fail(error, HC_ERROR_DATA, "%s: the pattern is wrong: %s", where, why);
    }
    pcre2_jit_compile(p->code, PCRE2_JIT_COMPLETE); /* without it patterns are slow, and work */
    p->found = pcre2_match_data_create(1, NULL);
    p->context = pcre2_match_context_create(NULL);
    p->stack = pcre2_jit_stack_create(STACK, MOST_STACK, NULL);
    if (!p->found || !p->context || !p->stack) {
        hc_pattern_free(p);
        return hc_fail_memory(error, "a pattern");
    }
    pcre2_jit_stack_assign(p->context, NULL, p->stack);
    *pattern = p;
    return HC_OK;
}

HcStatus hc_pattern_make(const char *text, size_t length, const char *where, HcPattern **pattern,
                         HcError *error) {
    Translation t = {.at = text, .end = text + length};
    *pattern = NULL;
    if (length > MOST_TEXT)
        return hc_fail(error, HC_ERROR_DATA, "%s: a pattern of %zu bytes", where, length);
    char *translated = t.to = malloc(8 * length + 1); /* \s becomes sixteen */
    if (!translated)
        return hc_fail_memory(error, "a pattern");
    while (t.at < t.end && !t.why)
        step(&t);
    HcStatus status =
        t.why ? hc_fail(error, HC_ERROR_DATA,
                        "%s: the pattern holds %s, at `%.20s`: that is not supported", where, t.why,
                        t.at)
              : compile(translated, (size_t)(t.to - translated), PCRE2_UCP, where, pattern, error);
    free(translated);
    return status;
}

HcStatus hc_pattern_make_plain(const char *text, size_t length, const char *where,
                               HcPattern **pattern, HcError *error) {
    return compile(text, length, PCRE2_LITERAL, where, pattern, error);
}

void hc_pattern_free(HcPattern *p) {
    if (!p)
        return;
    pcre2_jit_stack_free(p->stack);
    pcre2_match_context_free(p->context);
    pcre2_match_data_free(p->found);
    pcre2_code_free(p->code);
    free(p);
}

HcStatus hc_pattern_next(HcPattern *p, const uint8_t *text, size_t length, size_t from,
                         size_t *begin, size_t *end, HcError *error) {
    const int found = pcre2_match(p->code, text, length, from, PCRE2_NO_UTF_CHECK | PCRE2_NOTEMPTY,
                                  p->found, p->context);
    *begin = *end = length;
    if (found == PCRE2_ERROR_NOMATCH)
        return HC_OK;
    if (found == PCRE2_ERROR_NOMEMORY)
        return hc_fail_memory(error, "cutting text into words");
    if (found < 0)
        return hc_fail(error, HC_ERROR_DATA,
                       "the tokenizer's pattern takes too much to cut the text at byte %zu", from);
    const PCRE2_SIZE *at = pcre2_get_ovector_pointer(p->found);
    *begin = at[0];
    *end = at[1];
    return HC_OK;
}
