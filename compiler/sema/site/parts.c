/* What the body of a connection consists of, seen before anything of it is elaborated. */
#include "sema/elaboration.h"
#include "sema/report.h"
#include "sema/site/site.h"
#include "syntax/ast_find.h"

typedef struct {
    uint32_t around, begin, read, write, end; /* statements of each kind, conditions looked into */
    bool conditional;
} Parts;

static void count_parts(const StmtList *body, Parts *parts, bool inside) {
    for (uint32_t k = 0; k < body->count; k++) {
        const Stmt *stmt = body->at[k];
        if (!stmt)
            continue;
        parts->around += stmt->kind == STMT_AROUND;
        parts->begin += stmt->kind == STMT_BEGIN;
        parts->read += stmt->kind == STMT_READ;
        parts->write +=
            stmt->kind == STMT_WRITE || stmt->kind == STMT_EACH || stmt->kind == STMT_APPEND;
        parts->end += stmt->kind == STMT_END;
        parts->conditional =
            parts->conditional || stmt->kind == STMT_IF || stmt->kind == STMT_ERROR;
        if (stmt->kind == STMT_IF && !inside) {
            count_parts(&stmt->branch.then_body, parts, false);
            count_parts(&stmt->branch.else_body, parts, false);
        }
    }
}

bool parts_call(Sema *s, const Item *item) {
    const char *branch = intern_str(s->c->interner, "branch");
    for (uint32_t k = 0; k < item->formals.count; k++)
        if (item->formals.at[k].target.name.text == branch)
            return false;
    for (uint32_t k = 0; k < item->inputs.count; k++)
        if (item->inputs.at[k].target.name.text == branch)
            return false;
    return ast_mentions(&item->body, branch);
}

bool parts_check(Sema *s, const Item *item) {
    Parts parts = {0};
    bool errors = false, has_state = false;
    for (uint32_t k = 0; k < item->body.count; k++) {
        errors = errors || (item->body.at[k] && item->body.at[k]->kind == STMT_ERROR);
        has_state = has_state || (item->body.at[k] && item->body.at[k]->kind == STMT_STATE);
    }
    count_parts(&item->body, &parts, false);
    if (errors || parts.around) /* which another one may have */
        return true;
    const struct {
        uint32_t count;
        const char *word, *meaning, *example;
    } needed[] = {
        {has_state, "state", "what goes from site to site", "state h[d];"},
        {parts.begin, "begin", "how the state begins", "begin h = x;"},
        {parts.read || parts_call(s, item), "read", "what the branch gets",
         "read x = norm(h);`, or a call of it, `let y = branch(norm(h));"},
        {parts.write, "write", "how the branch's result enters the state",
         "write h[c] = h[c] + y[c];"},
        {parts.end, "end", "what the trunk gives", "end x = norm(h);"},
    };
    bool good = true;
    for (uint32_t k = 0; k < sizeof needed / sizeof *needed; k++) {
        if (needed[k].count)
            continue;
        sema_error(s, DIAG_CONNECTION_PART, item->name.span, "the connection `%s` has no `%s`: %s",
                   item->name.text, needed[k].word, needed[k].meaning);
        sema_help(s, "for instance `%s`", needed[k].example);
        good = false;
        break; /* one message a connection: the place is the same */
    }
    return good;
}

bool parts_begin(const StmtList *body, const char *name) {
    for (uint32_t k = 0; k < body->count; k++) {
        const Stmt *stmt = body->at[k];
        for (uint32_t b = 0; stmt && stmt->kind == STMT_BEGIN && b < stmt->bindings.count; b++)
            if (stmt->bindings.at[b].target.name.text == name)
                return true;
        if (stmt && stmt->kind == STMT_IF &&
            (parts_begin(&stmt->branch.then_body, name) ||
             parts_begin(&stmt->branch.else_body, name)))
            return true;
    }
    return false;
}

static bool list_shows(const StmtList *body);

/* A probe, penalty, update or constraint, perhaps in a `for` or a condition. */
bool parts_show(const Stmt *stmt) {
    return stmt->kind == STMT_PROBE || stmt->kind == STMT_PENALTY || stmt->kind == STMT_UPDATE ||
           stmt->kind == STMT_PROJECT || (stmt->kind == STMT_FOR && list_shows(&stmt->loop.body)) ||
           (stmt->kind == STMT_IF &&
            (list_shows(&stmt->branch.then_body) || list_shows(&stmt->branch.else_body)));
}

static bool list_shows(const StmtList *body) {
    for (uint32_t k = 0; k < body->count; k++)
        if (body->at[k] && parts_show(body->at[k]))
            return true;
    return false;
}

uint32_t parts_states(const StmtList *body) {
    uint32_t count = 0;
    for (uint32_t k = 0; k < body->count; k++) {
        const Stmt *stmt = body->at[k];
        if (stmt && stmt->kind == STMT_STATE)
            count += stmt->targets.count;
        else if (stmt && stmt->kind == STMT_IF)
            count += parts_states(&stmt->branch.then_body) + parts_states(&stmt->branch.else_body);
    }
    return count;
}

bool parts_keep(const StmtList *body, const char *name) {
    for (uint32_t k = 0; k < body->count; k++) {
        const Stmt *stmt = body->at[k];
        for (uint32_t t = 0; stmt && stmt->kind == STMT_STATE && t < stmt->targets.count; t++)
            if (stmt->targets.at[t].name.text == name)
                return true;
        for (uint32_t b = 0; stmt && stmt->kind == STMT_CARRY && b < stmt->bindings.count; b++)
            if (stmt->bindings.at[b].target.name.text == name)
                return true;
        if (stmt && stmt->kind == STMT_IF &&
            (parts_keep(&stmt->branch.then_body, name) ||
             parts_keep(&stmt->branch.else_body, name)))
            return true;
    }
    return false;
}

bool parts_hold(const StmtList *body) {
    Parts parts = {0};
    count_parts(body, &parts, false);
    return parts.around || parts.read || parts.write;
}
