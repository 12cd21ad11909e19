/* Faults of the compiler: what it was doing, and how to see it again.
 *
 * A signal handler can reach nothing but statics, so the text it prints is kept here: the one
 * changing static of the compiler. It is written before work begins and when a pass begins. */
#include "driver/driver.h"
#include "tir/tir.h"
#include <signal.h>
#include <string.h>
#include <unistd.h>

static struct {
    char command[2048]; /* the reproducing command */
    char doing[64];
} fault_text;

void driver_quote(char *to, size_t size, const char *word) {
    size_t length = strlen(to);
    bool plain = *word && word[strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                            "0123456789-_./=,:+@%")] == '\0';
    if (length && length + 1 < size)
        to[length++] = ' ';
    if (!plain && length + 1 < size)
        to[length++] = '\'';
    for (; *word && length + 6 < size; word++) {
        if (!plain && *word == '\'') {
            memcpy(to + length, "'\\''", 4);
            length += 4;
        } else {
            to[length++] = *word;
        }
    }
    if (!plain && length + 1 < size)
        to[length++] = '\'';
    to[length] = '\0';
}

#ifdef __SANITIZE_ADDRESS__ /* the sanitizer's own report says more */

static void fault_catch_signals(void) {}

#else

static void fault_write(const char *text) {
    ssize_t ignored = write(STDERR_FILENO, text, strlen(text));
    (void)ignored;
}

static void fault_on_signal(int number) {
    const char *what = number == SIGABRT  ? "an internal check failed"
                       : number == SIGFPE ? "a bad division"
                                          : "a bad memory access";
    fault_write("hcc: internal fault: ");
    fault_write(what);
    fault_write(" in ");
    fault_write(fault_text.doing);
    fault_write("\n  this is a fault of the compiler, not of your file; to see it again:\n  ");
    fault_write(fault_text.command);
    fault_write("\n");
    _exit(EXIT_FAULT);
}

static void fault_catch_signals(void) {
    static char stack[64 * 1024]; /* so that an exhausted stack can still be told */
    sigaltstack(&(stack_t){.ss_sp = stack, .ss_size = sizeof stack}, NULL);
    struct sigaction action = {.sa_handler = fault_on_signal, .sa_flags = SA_ONSTACK};
    static const int numbers[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL};
    for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++)
        sigaction(numbers[k], &action, NULL);
}

#endif

void fault_handlers_note(const char *what) {
    size_t length = strlen(what);
    if (length >= sizeof fault_text.doing)
        length = sizeof fault_text.doing - 1;
    memcpy(fault_text.doing, what, length);
    fault_text.doing[length] = '\0';
}

void fault_handlers_install(const Driver *d) {
    fault_text.command[0] = '\0';
    for (int k = 0; k < d->options.argc; k++)
        driver_quote(fault_text.command, sizeof fault_text.command, d->options.argv[k]);
    fault_handlers_note(command_name(d->options.command));
    fault_catch_signals();
}

ExitCode driver_fault(Driver *d, const char *pass, const char *what) {
    fprintf(d->err, "hcc: internal fault in %s: %s\n", pass, what ? what : "no details");
    fprintf(d->err, "  this is a fault of the compiler, not of your file; to see it again:\n  %s\n",
            fault_text.command);
    return EXIT_FAULT;
}

static void fault_in_tir(void *context, TirOp op, Span span, const char *message) {
    Driver *d = context;
    const char *where = "";
    if (span.file) {
        LineColumn place = source_line_column(d->c->sources, span.file, span.begin);
        where = arena_printf(d->c->arena, " at %s:%u:%u", source_name(d->c->sources, span.file),
                             place.line, place.column);
    }
    driver_fault(d, fault_text.doing,
                 arena_printf(d->c->arena, "op %s%s: %s", tir_op_name(op), where, message));
    longjmp(*d->fault, 1);
}

void driver_watch(Driver *d, TirProgram *program) {
    program->on_fault = fault_in_tir;
    program->fault_context = d;
}
