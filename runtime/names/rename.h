/* A map of names at work: tensors under the names and in the layouts of others, and back. */
#ifndef HC_RENAME_H
#define HC_RENAME_H

#include "runtime/files/tensor_list.h"
#include "runtime/names/name_map.h"

/* Theirs, of ours. Every tensor is mapped or omitted. `of` names what is read, for messages. */
HcStatus hc_rename_to_theirs(const HcNameMap *map, const char *of, const HcTensorList *ours,
                             HcTensorList *theirs, HcError *error);
/* Ours, of theirs: `ours` holds the names and shapes of a model, and gets values. Every tensor of
 * either side is mapped, or is skipped or omitted; what is omitted gets none. */
HcStatus hc_rename_to_ours(const HcNameMap *map, const char *of, const HcTensorList *theirs,
                           HcTensorList *ours, HcError *error);

#endif
