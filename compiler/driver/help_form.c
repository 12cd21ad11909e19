/* The forms that `--help=FORM` prints. */
#include "driver/help.h"
#include <string.h>

bool help_form(const char *form, Command command, FILE *to) {
    static const struct {
        const char *form;
        void (*print)(FILE *to);
    } forms[] = {{"markdown", help_markdown},
                 {"bash", completion_bash},
                 {"zsh", completion_zsh},
                 {"fish", completion_fish}};
    if (strcmp(form, "man") == 0) {
        help_man(command, to);
        return true;
    }
    for (size_t k = 0; command == CMD_NONE && k < sizeof forms / sizeof *forms; k++) {
        if (strcmp(form, forms[k].form) == 0) {
            forms[k].print(to);
            return true;
        }
    }
    return false;
}
