#include "runtime/app/info.h"

#include <inttypes.h>

void hc_info_print(const HcInfo *info, FILE *to) {
    fprintf(to, "model %s\n", info->model);
    for (uint32_t k = 0; k < info->n_constants; k++)
        fprintf(to, "  %-16s %s\n", info->constants[k].name, info->constants[k].value);
    fprintf(to, "\nsites\n");
    for (uint32_t k = 0; k < info->n_sites; k++)
        fprintf(to, "  %u x %s : %s\n", info->sites[k].count, info->sites[k].connection,
                info->sites[k].branch);
    fprintf(to, "\nparameters\n");
    for (uint32_t k = 0; k < info->n_groups; k++)
        fprintf(to, "  %-16s %6u tensors %12" PRIu64 "%s\n", info->groups[k].name,
                info->groups[k].tensors, info->groups[k].elements,
                info->groups[k].of_connection ? "  connection" : "");
    fprintf(to, "  %-16s %14s %12" PRIu64 "\n", "all", "", info->elements);
    fprintf(to, "  %-16s %14s %12" PRIu64 "\n", "without decay", "", info->undecayed);
    for (uint32_t k = 0; k < info->n_lost; k++)
        fprintf(to, "  %-16s %s\n", k ? "" : "no path to loss", info->lost[k]);
}
