// The file, its symbols and its entry.
#include <regex.h>

#include <algorithm>
#include <cstring>

#include "cases.h"
#include "elf_symbols.h"
#include "memory_map.h"
#include "replies.h"

namespace keelson::check {
namespace {

void loads(Session& session) {
    (void)session.plugin();
}

void has_symbol(Session& session) {
    if (session.plugin().function() == nullptr) session.fail("there is no symbol " KEELSON_PLUGIN_SYMBOL);
}

std::string list_names(const std::vector<std::string>& names) {
    constexpr std::size_t shown = 8;
    std::string text;
    for (std::size_t i = 0; i < names.size() && i < shown; ++i) text += (i == 0 ? "" : ", ") + names[i];
    if (names.size() > shown) text += " and " + std::to_string(names.size() - shown) + " more";
    return text;
}

void exports_one_symbol(Session& session) {
    std::vector<std::string> others;
    for (const ExportedSymbol& symbol : exported_symbols(session.options().plugin)) {
        if (symbol.name != KEELSON_PLUGIN_SYMBOL && !symbol.is_unique) others.push_back(symbol.name);
    }
    if (others.empty()) return;
    session.fail("it also exports " + list_names(others) +
                 "; compile with -fvisibility=hidden and link with a version script that names one symbol");
}

void no_unique_symbols(Session& session) {
    std::vector<std::string> unique;
    for (const ExportedSymbol& symbol : exported_symbols(session.options().plugin)) {
        if (symbol.is_unique) unique.push_back(symbol.name);
    }
    if (unique.empty()) return;
    session.fail("one copy for all versions in a process: " + list_names(unique) +
                 "; compile with -fno-gnu-unique");
}

void has_entry(Session& session) {
    const keelson_plugin_function function = session.plugin().function();
    board().set_phase("calling " KEELSON_PLUGIN_SYMBOL "()");
    const keelson_entry* entry = function();
    if (entry == nullptr) Session::stop_with(Outcome::fail, KEELSON_PLUGIN_SYMBOL "() answered null");
    if (readable_bytes(entry) < sizeof(std::uint32_t)) {
        Session::stop_with(Outcome::fail, "the entry's address cannot be read");
    }
    if (function() != entry) session.fail("the second call answered another address than the first");
}

void entry_is_whole(Session& session) {
    constexpr std::uint32_t implausible_size = 4096;
    const keelson_entry* entry = session.plugin().function()();
    const std::uint32_t size = entry->struct_size;
    if (size < sizeof(keelson_entry)) {
        Session::stop_with(Outcome::fail, "struct_size is " + std::to_string(size) + ", the table has " +
                                              std::to_string(sizeof(keelson_entry)) + " bytes");
    }
    if (size > implausible_size || size % alignof(keelson_entry) != 0) {
        session.fail("struct_size " + std::to_string(size) + " cannot be the size of a table of pointers");
    }
    if (readable_bytes(entry) < sizeof(keelson_entry)) session.fail("the entry ends in unreadable memory");
    if (!is_function(entry->create)) session.fail("create does not point to code");
}

void abi_fits(Session& session) {
    const keelson_entry& entry = session.plugin().entry();
    const std::string range = std::to_string(entry.abi_minimum) + " to " + std::to_string(entry.abi_maximum);
    if (entry.abi_minimum > entry.abi_maximum || entry.abi_minimum == 0) {
        session.fail("the ABI range " + range + " is none");
    } else if (entry.abi_minimum > KEELSON_ABI_MAXIMUM || entry.abi_maximum < KEELSON_ABI_MINIMUM) {
        session.fail("it speaks ABI " + range + ", this host " + std::to_string(KEELSON_ABI_MINIMUM) +
                     " to " + std::to_string(KEELSON_ABI_MAXIMUM));
    }
}

// A string of the plugin, or nothing when it is null, unreadable or endless.
std::string read_text(const char* text) {
    constexpr std::size_t limit = 256;
    const std::size_t size = text == nullptr ? 0 : std::min(limit, readable_bytes(text));
    const std::size_t length = size == 0 ? 0 : ::strnlen(text, size);
    return length == size ? std::string() : std::string(text, length);
}

// The forms that sdk/schema/manifest.json asks for.
constexpr const char* id_pattern = R"(^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+$)";
constexpr const char* version_pattern = R"(^[0-9]+\.[0-9]+\.[0-9]+([-+][0-9A-Za-z.+-]+)?$)";

bool matches_pattern(const std::string& text, const char* pattern) {
    regex_t compiled;
    if (::regcomp(&compiled, pattern, REG_EXTENDED | REG_NOSUB) != 0) return false;
    const bool does_match = ::regexec(&compiled, text.c_str(), 0, nullptr, 0) == 0;
    ::regfree(&compiled);
    return does_match;
}

void is_named(Session& session) {
    const keelson_entry& entry = session.plugin().entry();
    const std::string id = read_text(entry.id);
    const std::string version = read_text(entry.version);
    if (!matches_pattern(id, id_pattern)) {
        session.fail("the id \"" + printable(id) + "\" does not look like \"com.example.mydisk\"");
    }
    if (!matches_pattern(version, version_pattern))
        session.fail("the version \"" + printable(version) + "\" is not like \"1.4.0\"");
}

void fits_manifest(Session& session) {
    if (!session.options().manifest) Session::skip("no --manifest was given");
    const Manifest& manifest = *session.options().manifest;
    const keelson_entry& entry = session.plugin().entry();
    if (manifest.id != entry.id) {
        session.fail("the manifest's id is " + manifest.id + ", the entry's " + entry.id);
    }
    if (!manifest.version.empty() && manifest.version != entry.version) {
        session.fail("the manifest's version is " + manifest.version + ", the entry's " + entry.version);
    }
    const bool has_range = manifest.abi_minimum != 0 || manifest.abi_maximum != 0;
    if (has_range &&
        (manifest.abi_minimum != entry.abi_minimum || manifest.abi_maximum != entry.abi_maximum)) {
        session.fail("the manifest's ABI range is " + std::to_string(manifest.abi_minimum) + " to " +
                     std::to_string(manifest.abi_maximum) + ", the entry's " +
                     std::to_string(entry.abi_minimum) + " to " + std::to_string(entry.abi_maximum));
    }
}

}  // namespace

std::vector<Case> library_cases() {
    return {
        {"library.loads", "The dynamic linker loads it with every symbol resolved.", {}, loads},
        {"library.symbol", "It exports keelson_plugin.", {"library.loads"}, has_symbol},
        {"library.exports", "It exports nothing else.", {"library.symbol"}, exports_one_symbol},
        {"library.unique-symbols",
         "It has no symbols that versions of it would share.",
         {"library.symbol"},
         no_unique_symbols},
        {"library.entry",
         "keelson_plugin() answers the same table every time.",
         {"library.symbol"},
         has_entry},
        {"library.entry-size",
         "The entry holds every field up to create.",
         {"library.entry"},
         entry_is_whole},
        {"library.abi",
         "The entry's ABI range holds one that this kit speaks.",
         {"library.entry-size"},
         abi_fits},
        {"library.name", "Id and version are well-formed.", {"library.entry-size"}, is_named},
        {"library.manifest",
         "Id, version and ABI range are those of the manifest.",
         {"library.name"},
         fits_manifest},
    };
}

}  // namespace keelson::check
