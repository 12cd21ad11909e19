#include "runtime/files/tensor_list.h"
#include "runtime/files/safetensors.h"

#include <stdlib.h>
#include <string.h>

static HcStatus no_memory(HcError *error) {
    return hc_fail_memory(error, "the tensors of a file");
}

HcStatus hc_tensor_list_add(HcTensorList *list, const char *name, int32_t rank, const int64_t *dims,
                            HcTensor **at, HcError *error) {
    if (list->count == list->room) {
        const int64_t room = 2 * list->room + 16;
        HcTensor *grown = realloc(list->at, (size_t)room * sizeof *grown);
        if (!grown)
            return no_memory(error);
        list->at = grown;
        list->room = room;
    }
    char *own_name = strdup(name);
    int64_t *own_dims = malloc(((size_t)rank + 1) * sizeof *own_dims), count = 1;
    if (!own_name || !own_dims) {
        free(own_name);
        free(own_dims);
        return no_memory(error);
    }
    for (int32_t d = 0; d < rank; d++)
        count *= own_dims[d] = dims[d];
    *at = &list->at[list->count++];
    **at = (HcTensor){.name = own_name, .rank = rank, .dims = own_dims, .count = count};
    return HC_OK;
}

HcStatus hc_tensor_room(HcTensor *t, uint32_t element_size, HcError *error) {
    t->element_size = element_size;
    t->data = malloc((size_t)t->count * element_size + 1);
    return t->data ? HC_OK : no_memory(error);
}

HcTensor *hc_tensor_list_find(const HcTensorList *list, const char *name) {
    for (int64_t k = 0; k < list->count; k++)
        if (strcmp(list->at[k].name, name) == 0)
            return &list->at[k];
    return NULL;
}

static void free_tensor(HcTensor *t) {
    free((char *)(uintptr_t)t->name);
    free((int64_t *)(uintptr_t)t->dims);
    free(t->data);
}

void hc_tensor_list_drop_empty(HcTensorList *list) {
    int64_t kept = 0;
    for (int64_t k = 0; k < list->count; k++) {
        if (list->at[k].data)
            list->at[kept++] = list->at[k];
        else
            free_tensor(&list->at[k]);
    }
    list->count = kept;
}

void hc_tensor_list_free(HcTensorList *list) {
    for (int64_t k = 0; k < list->count; k++)
        free_tensor(&list->at[k]);
    free(list->at);
    *list = (HcTensorList){0};
}

/* --- of a file ---------------------------------------------------------------------------------*/

static HcStatus read_one(HcTensorList *list, const HcStoredFile *f, const char *name,
                         const json_t *entry, HcError *error) {
    HcTensor *t;
    HcStored stored;
    const HcStoredOutcome outcome = hc_stored_entry(f, entry, &stored);
    if (outcome == HC_STORED_NO_REAL)
        return hc_tensor_list_add(list, name, 0, NULL, &t, error);
    if (outcome != HC_STORED_GOOD)
        return hc_fail(error, HC_ERROR_CHECKPOINT, "checkpoint `%s`: tensor `%s` %s", f->path, name,
                       outcome == HC_STORED_MALFORMED ? "has a malformed entry"
                                                      : "has wrong offsets");
    const size_t rank = json_array_size(stored.shape);
    int64_t *dims = malloc((rank + 1) * sizeof *dims);
    if (!dims)
        return no_memory(error);
    for (size_t d = 0; d < rank; d++)
        dims[d] = json_integer_value(json_array_get(stored.shape, d));
    HcStatus status = hc_tensor_list_add(list, name, (int32_t)rank, dims, &t, error);
    free(dims);
    if (status == HC_OK)
        status = hc_tensor_room(t, stored.type == HC_STORED_F64 ? 8 : 4, error);
    if (status == HC_OK)
        hc_stored_values(f, &stored, 0, t->count, t->data, t->element_size);
    return status;
}

HcStatus hc_tensor_list_read(HcTensorList *list, const char *path, HcError *error) {
    HcStoredFile f;
    const char *name;
    json_t *entry;
    *list = (HcTensorList){0};
    HcStatus status = hc_stored_open(&f, path, 0, error);
    if (status == HC_OK)
        status = hc_stored_read(&f);
    if (status == HC_OK)
        json_object_foreach(f.json, name, entry) {
            if (status == HC_OK && hc_stored_is_tensor(name))
                status = read_one(list, &f, name, entry, error);
        }
    hc_stored_close(&f);
    if (status != HC_OK)
        hc_tensor_list_free(list);
    return status;
}
