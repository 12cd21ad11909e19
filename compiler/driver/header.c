/* runtime/hc.h, embedded by the build, rewritten for one model.
 *
 * The header has two parts, parted by a marker comment: types that all models share, then
 * functions. `hc_` before a function's name becomes `PREFIX_`, everywhere (in comments, too), and
 * `const HcModel *model, ` disappears. Types are guarded by hc.h's own guard, so that headers of
 * several models, and hc.h itself, can be included together. */
#include "driver/header.h"
#include <string.h>

extern const unsigned char hc_header_text[]; /* runtime/hc.h */

static const char marker[] = "/* --- process";
static const char model_argument[] = "const HcModel *model, ";

typedef VEC(char) CharVec;

static bool header_word_character(char c) {
    return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* Length of the function's name when `hc_NAME(` begins at `text` (`before` stands before it). */
static size_t header_function_at(const char *text, char before) {
    if (header_word_character(before) || strncmp(text, "hc_", 3) != 0)
        return 0;
    size_t length = 3;
    while (header_word_character(text[length]))
        length++;
    return text[length] == '(' ? length - 3 : 0;
}

/* Whose name has that length; `text` begins with `hc_`. */
static HeaderFunction header_function(Arena *arena, const char *text, size_t length) {
    HeaderFunction function = {.name = arena_copy_string(arena, text + 3, length)};
    const char *arguments = text + 3 + length + 1;
    function.with_model = strncmp(arguments, model_argument, sizeof model_argument - 1) == 0;
    for (; function.with_model && *arguments && *arguments != ')'; arguments++)
        function.n_arguments += *arguments == ',';
    return function;
}

HeaderFunctionVec header_functions(Arena *arena) {
    HeaderFunctionVec functions = {0};
    const char *text = strstr((const char *)hc_header_text, marker);
    for (bool comment = false; text && *text; text++) {
        if (strncmp(text, comment ? "*/" : "/*", 2) == 0)
            comment = !comment;
        size_t length = comment ? 0 : header_function_at(text, text[-1]);
        if (length) {
            vec_push(arena, &functions, header_function(arena, text, length));
            text += 3 + length;
        }
    }
    return functions;
}

static void header_append(Arena *arena, CharVec *to, const char *text, size_t length) {
    vec_reserve(arena, to, to->count + (uint32_t)length + 1);
    memcpy(to->at + to->count, text, length);
    to->count += (uint32_t)length;
    to->at[to->count] = '\0';
}

static void header_append_text(Arena *arena, CharVec *to, const char *text) {
    header_append(arena, to, text, strlen(text));
}

/* Text of the functions' part, up to `end`, for the model whose functions have the prefix. */
static void header_append_renamed(Arena *arena, CharVec *to, const char *text, const char *end,
                                  const char *prefix) {
    while (text < end) {
        if (strncmp(text, model_argument, sizeof model_argument - 1) == 0) {
            text += sizeof model_argument - 1;
            continue;
        }
        if (strncmp(text, "hc_", 3) == 0 && !header_word_character(text[-1])) {
            header_append_text(arena, to, prefix);
            header_append(arena, to, "_", 1);
            text += 3;
            continue;
        }
        header_append(arena, to, text++, 1);
    }
}

/* Where a declaration that begins at `text` ends, when its function is told a model; else NULL. */
static const char *header_with_model(const char *text) {
    const char *end = text[-1] == '\n' && header_word_character(*text) ? strchr(text, ';') : NULL;
    const char *model = end ? strstr(text, model_argument) : NULL;
    return model && model < end ? end + 1 : NULL;
}

/* The functions' part: `text` to the end, but for the closing #endif of the guard. */
static void header_append_functions(Arena *arena, CharVec *to, const char *text, const char *prefix,
                                    const char *const *parts, uint32_t n_parts) {
    const char *end = text + strlen(text);
    for (const char *last = text; (last = strstr(last, "#endif")); last++)
        end = last;
    while (text < end) {
        const char *next = strchr(text, '\n');
        next = next && next < end ? next + 1 : end;
        const char *declared = n_parts ? header_with_model(text) : NULL;
        for (uint32_t k = 0; declared && k < n_parts; k++) {
            const char *name = arena_printf(arena, "%s_%s", prefix, parts[k]);
            header_append_renamed(arena, to, text, declared, name);
            header_append(arena, to, "\n", k + 1 < n_parts);
        }
        if (!declared)
            header_append_renamed(arena, to, text, next, prefix);
        text = declared ? declared : next;
    }
}

const char *header_text(Arena *arena, const char *model, const char *prefix,
                        const char *const *parts, uint32_t n_parts) {
    const char *source = (const char *)hc_header_text;
    const char *functions = strstr(source, marker);
    const char *guard = strstr(source, "#ifndef");
    CharVec to = {0};
    header_append_text(
        arena, &to,
        arena_printf(arena,
                     "/* Generated by hcc: the %s `%s` as a C library. One context per thread at "
                     "a time;\n * the functions' comments say who owns what. */\n"
                     "#ifndef HC_MODEL_%s_H\n#define HC_MODEL_%s_H\n\n",
                     parts ? "connection" : "model", model, prefix, prefix));
    /* The types, without the include that only the runtime's own sources need. */
    for (const char *line = guard; line < functions;) {
        size_t length = strcspn(line, "\n") + 1;
        bool dropped =
            strncmp(line, "#include \"", 10) == 0 || (strncmp(line, "extern \"C\"", 10) == 0);
        if (!dropped)
            header_append(arena, &to, line, length);
        line += length;
    }
    header_append_text(arena, &to,
                       "#endif /* HC_HC_H */\n\n#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n");
    header_append_functions(arena, &to, functions, prefix, parts, n_parts);
    header_append_text(arena, &to, "#endif\n");
    return to.at;
}
