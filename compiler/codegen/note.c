/* The note in every object hcc makes, by which it knows its own files again (a section .note.hcc).
 *
 * A program of the user's, linked with such an object, has the note as well; so the note says who
 * was to link the object. Only what hcc linked itself is hcc's. */
#include "codegen/emit.h"
#include <elf.h>
#include <stdio.h>
#include <string.h>

static const char note_section[] = ".note.hcc";
enum { NOTE_TYPE = 1, NOTE_OWNER = 4 }; /* bytes of "hcc" with its end */

typedef struct {
    Elf64_Nhdr head;
    char owner[NOTE_OWNER];
    uint32_t linked; /* by hcc */
} Note;

void note_emit(Emit *e, bool linked) {
    Note note = {{NOTE_OWNER, sizeof note.linked, NOTE_TYPE}, "hcc", linked};
    LLVMValueRef bytes =
        LLVMConstStringInContext(e->context, (const char *)&note, sizeof note, true);
    LLVMValueRef global = LLVMAddGlobal(e->module, LLVMTypeOf(bytes), "note");
    LLVMSetInitializer(global, bytes);
    LLVMSetGlobalConstant(global, true);
    LLVMSetLinkage(global, LLVMPrivateLinkage);
    LLVMSetSection(global, note_section);
    LLVMSetAlignment(global, 4);
    LLVMValueRef kept =
        LLVMConstArray2(e->pointer, &global, 1); /* though nothing in the module reads it */
    LLVMValueRef used = LLVMAddGlobal(e->module, LLVMTypeOf(kept), "llvm.compiler.used");
    LLVMSetInitializer(used, kept);
    LLVMSetLinkage(used, LLVMAppendingLinkage);
    LLVMSetSection(used, "llvm.metadata");
}

/* Reads `size` bytes at `at`. */
static bool note_read(FILE *file, uint64_t at, void *to, size_t size) {
    return fseeko(file, (off_t)at, SEEK_SET) == 0 && fread(to, size, 1, file) == 1;
}

static bool note_in_section(FILE *file, const Elf64_Ehdr *head, const Elf64_Shdr *section) {
    Note note;
    for (uint64_t at = 0; at + sizeof note <= section->sh_size; at += sizeof note) {
        if (!note_read(file, section->sh_offset + at, &note, sizeof note) ||
            note.head.n_namesz != NOTE_OWNER || memcmp(note.owner, "hcc", NOTE_OWNER) != 0)
            return false;
        if (head->e_type == ET_REL || note.linked)
            return true;
    }
    return false;
}

bool codegen_file_marked(const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file)
        return false;
    Elf64_Ehdr head;
    Elf64_Shdr names = {0}, section;
    bool marked = false,
         elf = note_read(file, 0, &head, sizeof head) &&
               memcmp(head.e_ident, ELFMAG, SELFMAG) == 0 && head.e_ident[EI_CLASS] == ELFCLASS64 &&
               head.e_shentsize == sizeof section &&
               note_read(file, head.e_shoff + (uint64_t)head.e_shstrndx * sizeof names, &names,
                         sizeof names);
    for (uint32_t k = 0; elf && k < head.e_shnum && !marked; k++) {
        char name[sizeof note_section];
        marked = note_read(file, head.e_shoff + (uint64_t)k * sizeof section, &section,
                           sizeof section) &&
                 section.sh_type == SHT_NOTE &&
                 note_read(file, names.sh_offset + section.sh_name, name, sizeof name) &&
                 memcmp(name, note_section, sizeof name) == 0 &&
                 note_in_section(file, &head, &section);
    }
    fclose(file);
    return marked;
}
