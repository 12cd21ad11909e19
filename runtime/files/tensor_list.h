/* Tensors that own what they hold: all of a file's, whatever they are, or such as are made. */
#ifndef HC_TENSOR_LIST_H
#define HC_TENSOR_LIST_H

#include "runtime/files/checkpoint.h"

typedef struct {
    HcTensor *at; /* `data` NULL: it has a name, and no values (yet) */
    int64_t count, room;
} HcTensorList;

/* Every tensor of a safetensors file: F64 as doubles, F32, F16 and BF16 as floats. Those of other
 * types have a name alone. */
HcStatus hc_tensor_list_read(HcTensorList *list, const char *path, HcError *error);
/* Adds one without values; *at is good until the next is added. */
HcStatus hc_tensor_list_add(HcTensorList *list, const char *name, int32_t rank, const int64_t *dims,
                            HcTensor **at, HcError *error);
/* Gives it room for its values. */
HcStatus hc_tensor_room(HcTensor *tensor, uint32_t element_size, HcError *error);
/* Takes away those that have a name alone. */
void hc_tensor_list_drop_empty(HcTensorList *list);
/* NULL: it has none of that name. */
HcTensor *hc_tensor_list_find(const HcTensorList *list, const char *name);
void hc_tensor_list_free(HcTensorList *list);

#endif
