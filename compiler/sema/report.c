/* What elaboration says, and of which instance. */
#include "sema/report.h"
#include "sema/elaboration.h"

const char *item_kind_text(ItemKind kind) {
    static const char *const text[] = {"use",    "constant", "function", "connection",
                                       "branch", "module",   "model",    "train block"};
    return text[kind];
}

/* The innermost instance of a definition, when the place lies inside a definition. */
static void note_instance(Sema *s, Span at) {
    const Frame *f = s->frame;
    if (!f || s->trial || at.file == 0)
        return;
    while (f && f->is_function && f->outer)
        f = f->outer;
    if (!f || !f->item || f->item->kind == ITEM_MODEL || f->used_at.file == 0)
        return;
    if (f->used_at.file == at.file && f->used_at.begin == at.begin)
        return; /* it is the instance that is at fault */
    if (f->path && f->path[0])
        diag_note(s->d, f->used_at, "in `%s`, an instance of the %s `%s`", f->path,
                  item_kind_text(f->item->kind), f->item->name.text);
    else
        diag_note(s->d, f->used_at, "in an instance of the %s `%s`", item_kind_text(f->item->kind),
                  f->item->name.text);
}

/* Codes whose cause may lie in what an instance was given. */
static bool code_concerns_instance(DiagCode code) {
    switch (code) {
    case DIAG_CONSTANT:
    case DIAG_EXTENT:
    case DIAG_INDEX_RANGE:
    case DIAG_INDEX_EXTENT:
    case DIAG_SHAPE:
    case DIAG_INDEX_CLASH:
    case DIAG_KIND:
    case DIAG_DOMAIN:
    case DIAG_SIZE:
    case DIAG_REQUIRED:
        return true;
    default:
        return false;
    }
}

/* What may only seem so because the parser threw text away. */
static bool code_follows_syntax(DiagCode code) {
    return code == DIAG_OUTPUT || code == DIAG_CONNECTION_PART || code == DIAG_LOSS ||
           code == DIAG_DUPLICATE || code == DIAG_MODEL;
}

Value sema_error(Sema *s, DiagCode code, Span at, const char *format, ...) {
    va_list args;
    va_start(args, format);
    const char *message = arena_vprintf(s->arena, format, args);
    va_end(args);
    s->muted = s->syntax_errors && code_follows_syntax(code);
    if (s->muted)
        return POISON;
    diag_error(s->d, code, at, "%s", message);
    if (code_concerns_instance(code))
        note_instance(s, at);
    return POISON;
}

void sema_warning(Sema *s, DiagCode code, Span at, const char *format, ...) {
    va_list args;
    va_start(args, format);
    const char *message = arena_vprintf(s->arena, format, args);
    va_end(args);
    s->muted = s->syntax_errors;
    if (s->muted)
        return;
    diag_warning(s->d, code, at, "%s", message);
    if (code_concerns_instance(code))
        note_instance(s, at);
}

void sema_note(Sema *s, Span at, const char *format, ...) {
    if (at.file == 0 || s->muted)
        return;
    va_list args;
    va_start(args, format);
    diag_note(s->d, at, "%s", arena_vprintf(s->arena, format, args));
    va_end(args);
}

Value sema_error_text(Sema *s, Value text, const char *wanted, Span used_at) {
    const Span at = text.span.file ? text.span : used_at;
    sema_error(s, DIAG_SITE, at, "%s is needed, and this is a text", wanted);
    if (at.file != used_at.file || at.begin != used_at.begin)
        sema_note(s, used_at, "it is used here");
    sema_help(s, "definitions are named without quotes: `%s`", text.string);
    return POISON;
}

void sema_help(Sema *s, const char *format, ...) {
    if (s->muted)
        return;
    va_list args;
    va_start(args, format);
    diag_help(s->d, "%s", arena_vprintf(s->arena, format, args));
    va_end(args);
}
