#include "elf_symbols.h"

#include <elf.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string_view>

namespace keelson::check {
namespace {

// The bytes of the file, addressed by offset or by the address that they are loaded to.
class Image {
  public:
    explicit Image(const std::string& path) {
        std::ifstream file(path, std::ios::binary);
        if (!file) throw std::runtime_error("cannot read " + path);
        bytes_.assign(std::istreambuf_iterator<char>(file), {});
        header_ = at<Elf64_Ehdr>(0);
        if (std::memcmp(header_.e_ident, ELFMAG, SELFMAG) != 0 || header_.e_ident[EI_CLASS] != ELFCLASS64) {
            throw std::runtime_error("it is not a 64-bit ELF file");
        }
        if (header_.e_ident[EI_DATA] != ELFDATA2LSB) throw std::runtime_error("it is not little-endian");
    }

    template <typename T>
    [[nodiscard]] T at(std::uint64_t offset) const {
        if (offset > bytes_.size() || bytes_.size() - offset < sizeof(T)) {
            throw std::runtime_error("the ELF file is cut short or damaged");
        }
        T value;
        std::memcpy(&value, bytes_.data() + offset, sizeof value);
        return value;
    }

    [[nodiscard]] std::string_view text(std::uint64_t offset) const {
        if (offset >= bytes_.size()) throw std::runtime_error("a symbol's name lies outside the file");
        const char* begin = bytes_.data() + offset;
        return {begin, ::strnlen(begin, bytes_.size() - offset)};
    }

    [[nodiscard]] std::vector<Elf64_Phdr> segments(Elf64_Word type) const {
        std::vector<Elf64_Phdr> found;
        for (unsigned i = 0; i < header_.e_phnum; ++i) {
            const auto segment = at<Elf64_Phdr>(header_.e_phoff + std::uint64_t{i} * sizeof(Elf64_Phdr));
            if (segment.p_type == type) found.push_back(segment);
        }
        return found;
    }

    [[nodiscard]] std::uint64_t offset_of(std::uint64_t address) const {
        for (const Elf64_Phdr& segment : segments(PT_LOAD)) {
            if (address >= segment.p_vaddr && address - segment.p_vaddr < segment.p_filesz) {
                return segment.p_offset + (address - segment.p_vaddr);
            }
        }
        throw std::runtime_error("its dynamic section points outside the file");
    }

  private:
    std::vector<char> bytes_;
    Elf64_Ehdr header_;
};

struct Dynamic {
    std::uint64_t symbols = 0;
    std::uint64_t strings = 0;
    std::uint64_t hash = 0;
    std::uint64_t gnu_hash = 0;
};

Dynamic read_dynamic(const Image& image) {
    const auto segments = image.segments(PT_DYNAMIC);
    if (segments.empty()) throw std::runtime_error("it has no dynamic section: not a shared object");
    Dynamic found;
    for (std::uint64_t used = 0; used + sizeof(Elf64_Dyn) <= segments[0].p_filesz;
         used += sizeof(Elf64_Dyn)) {
        const auto entry = image.at<Elf64_Dyn>(segments[0].p_offset + used);
        if (entry.d_tag == DT_NULL) break;
        if (entry.d_tag == DT_SYMTAB) found.symbols = image.offset_of(entry.d_un.d_ptr);
        if (entry.d_tag == DT_STRTAB) found.strings = image.offset_of(entry.d_un.d_ptr);
        if (entry.d_tag == DT_HASH) found.hash = image.offset_of(entry.d_un.d_ptr);
        if (entry.d_tag == DT_GNU_HASH) found.gnu_hash = image.offset_of(entry.d_un.d_ptr);
    }
    if (found.symbols == 0 || found.strings == 0) throw std::runtime_error("it has no dynamic symbols");
    return found;
}

// The table of a GNU hash has no length: it ends with the last chain, whose end is marked by a set bit 0.
std::uint64_t count_by_gnu_hash(const Image& image, std::uint64_t table) {
    const auto bucket_count = image.at<std::uint32_t>(table);
    const auto first_symbol = image.at<std::uint32_t>(table + 4);
    const auto bloom_count = image.at<std::uint32_t>(table + 8);
    const std::uint64_t buckets = table + 16 + std::uint64_t{bloom_count} * 8;
    std::uint32_t last = 0;
    for (std::uint32_t i = 0; i < bucket_count; ++i) {
        last = std::max(last, image.at<std::uint32_t>(buckets + std::uint64_t{i} * 4));
    }
    if (last < first_symbol) return first_symbol;
    const std::uint64_t chains = buckets + std::uint64_t{bucket_count} * 4;
    while ((image.at<std::uint32_t>(chains + std::uint64_t{last - first_symbol} * 4) & 1u) == 0) ++last;
    return last + 1;
}

std::uint64_t symbol_count(const Image& image, const Dynamic& dynamic) {
    if (dynamic.gnu_hash != 0) return count_by_gnu_hash(image, dynamic.gnu_hash);
    if (dynamic.hash != 0) return image.at<std::uint32_t>(dynamic.hash + 4);
    throw std::runtime_error("it has no symbol hash table");
}

bool is_exported(const Elf64_Sym& symbol) {
    const unsigned binding = ELF64_ST_BIND(symbol.st_info);
    const bool is_public = binding == STB_GLOBAL || binding == STB_WEAK || binding == STB_GNU_UNIQUE;
    // The name of a node in a version script is an absolute symbol; nothing can be bound to it.
    const bool is_version = symbol.st_shndx == SHN_ABS && symbol.st_size == 0;
    return is_public && symbol.st_shndx != SHN_UNDEF && !is_version;
}

}  // namespace

std::vector<ExportedSymbol> exported_symbols(const std::string& path) {
    const Image image(path);
    const Dynamic dynamic = read_dynamic(image);
    const std::uint64_t count = symbol_count(image, dynamic);
    std::vector<ExportedSymbol> exported;
    for (std::uint64_t i = 1; i < count; ++i) {
        const auto symbol = image.at<Elf64_Sym>(dynamic.symbols + i * sizeof(Elf64_Sym));
        if (!is_exported(symbol)) continue;
        exported.push_back({std::string(image.text(dynamic.strings + symbol.st_name)),
                            ELF64_ST_BIND(symbol.st_info) == STB_GNU_UNIQUE});
    }
    return exported;
}

}  // namespace keelson::check
