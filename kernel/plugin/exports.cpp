#include "kernel/plugin/exports.h"

#include <elf.h>

#include <algorithm>
#include <cstring>
#include <optional>

namespace keelson::plugin {
namespace {

using base::Reason;
using base::Result;
using base::Status;

#if defined(__x86_64__)
constexpr unsigned kMachine = EM_X86_64;
#elif defined(__aarch64__)
constexpr unsigned kMachine = EM_AARCH64;
#else
#error "the ELF machine of this architecture is missing here"
#endif

constexpr std::size_t kNamedSymbols = 100;

// A copy: the file may be aligned in any way, and its numbers may be lies.
template <typename T>
std::optional<T> at(std::string_view image, std::uint64_t offset) {
    if (offset > image.size() || image.size() - offset < sizeof(T)) return std::nullopt;
    T value;
    std::memcpy(&value, image.data() + offset, sizeof value);
    return value;
}

std::string_view text_at(std::string_view image, std::uint64_t table, std::uint64_t size,
                         std::uint64_t offset) {
    if (offset >= size || table > image.size() || image.size() - table < size) return {};
    const std::string_view strings = image.substr(table, size);
    const std::string_view rest = strings.substr(offset);
    return rest.substr(0, rest.find('\0'));
}

// The linker's own names, which mean nothing to others.
bool is_linkers(std::string_view name) {
    return name == "_init" || name == "_fini" || name == "_edata" || name == "_end" ||
           name == "__bss_start" || name.empty();
}

void note(const Elf64_Sym& symbol, std::string_view name, Exports& exports) {
    const unsigned binding = ELF64_ST_BIND(symbol.st_info);
    const unsigned visibility = ELF64_ST_VISIBILITY(symbol.st_other);
    const bool is_offered = binding == STB_GLOBAL || binding == STB_WEAK || binding == STB_GNU_UNIQUE;
    const bool is_visible = visibility == STV_DEFAULT || visibility == STV_PROTECTED;
    // Version definitions are absolute symbols.
    const bool is_defined = symbol.st_shndx != SHN_UNDEF && symbol.st_shndx != SHN_ABS;
    if (!is_offered || !is_visible || !is_defined || is_linkers(name)) return;
    if (name == "keelson_plugin")
        exports.has_entry = true;
    else if (exports.others.size() < kNamedSymbols)
        exports.others.emplace_back(name);
}

Status not_elf() {
    return {Reason::bad_request, "not a 64-bit ELF shared object for this machine"};
}

}  // namespace

Result<Exports> read_exports(std::string_view image) {
    const auto header = at<Elf64_Ehdr>(image, 0);
    if (!header || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 ||
        header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_type != ET_DYN || header->e_machine != kMachine)
        return not_elf();
    Exports exports;
    for (unsigned i = 0; i < header->e_shnum; ++i) {
        const auto section = at<Elf64_Shdr>(image, header->e_shoff + std::uint64_t{i} * sizeof(Elf64_Shdr));
        if (!section) return not_elf();
        if (section->sh_type != SHT_DYNSYM) continue;
        const auto strings =
            at<Elf64_Shdr>(image, header->e_shoff + std::uint64_t{section->sh_link} * sizeof(Elf64_Shdr));
        if (!strings) return not_elf();
        for (std::uint64_t offset = 0; offset + sizeof(Elf64_Sym) <= section->sh_size;
             offset += sizeof(Elf64_Sym)) {
            const auto symbol = at<Elf64_Sym>(image, section->sh_offset + offset);
            if (!symbol) return not_elf();
            note(*symbol, text_at(image, strings->sh_offset, strings->sh_size, symbol->st_name), exports);
        }
    }
    std::ranges::sort(exports.others);
    return exports;
}

}  // namespace keelson::plugin
