// The tables that an instance names its capabilities with.
#include <algorithm>
#include <cstring>

#include "cases.h"
#include "memory_map.h"
#include "replies.h"

namespace keelson::check {
namespace {

void unknown_ids(Session& session) {
    const auto instance = session.create_local();
    const std::string endless(1u << 20, 'k');
    for (const std::string& id :
         {std::string(), std::string("com.example.unknown/0"), std::string("keelson."),
          std::string("keelson.volume"), std::string("keelson.volume/4294967295"),
          std::string("\xff\xfe%s%n"), endless}) {
        if (instance->table(id.c_str()) != nullptr) {
            session.fail("it has a table for \"" + printable(id, 40) + "\"");
        }
    }
}

void check_table(Session& session, const keelson_capability_info& capability, const void* table) {
    constexpr std::uint32_t implausible_size = 4096;
    const std::string where(capability.id);
    const std::size_t readable = readable_bytes(table);
    if (readable < sizeof(std::uint32_t)) return session.fail(where + ": the table cannot be read");
    std::uint32_t size = 0;
    std::memcpy(&size, table, sizeof size);
    const std::size_t first = capability.methods[0].offset;
    if (size < first + sizeof(keelson_method) || size > implausible_size || size % sizeof(void*) != 0) {
        return session.fail(where + ": struct_size " + std::to_string(size) +
                            " cannot be that of a table of methods; today's has " +
                            std::to_string(capability.table_size) + " bytes");
    }
    if (readable < size) return session.fail(where + ": the table ends in unreadable memory");
    bool has_method = false;
    for (std::size_t offset = first; offset + sizeof(void*) <= size; offset += sizeof(void*)) {
        const void* method = nullptr;
        std::memcpy(&method, static_cast<const char*>(table) + offset, sizeof method);
        has_method |= method != nullptr;
        if (method != nullptr && !is_executable(method)) {
            session.fail(where + ": the method at offset " + std::to_string(offset) +
                         " does not point to code");
        }
    }
    if (!has_method) session.fail(where + ": a table without methods; answer null instead");
}

void tables(Session& session) {
    const auto instance = session.create_local();
    bool has_any = false;
    for (const auto& capability : keelson_capability_list) {
        const void* table = instance->table(capability.id);
        if (table == nullptr) continue;
        has_any = true;
        check_table(session, capability, table);
    }
    if (!has_any) session.warn("it has none of the capabilities that this kit knows");
}

std::vector<const void*> all_tables(const LocalInstance& instance) {
    std::vector<const void*> found;
    for (const auto& capability : keelson_capability_list) found.push_back(instance.table(capability.id));
    return found;
}

void stable(Session& session) {
    const auto instance = session.create_local();
    const auto first = all_tables(*instance);
    const auto compare = [&](const char* when) {
        const auto now = all_tables(*instance);
        for (std::size_t i = 0; i < now.size(); ++i) {
            if (now[i] == first[i]) continue;
            session.fail(std::string(keelson_capability_list[i].id) + ": another table " + when);
        }
    };
    compare("when asked again");
    (void)instance->start(session.options().configuration);
    compare("after start");
    // The id is compared as text, not by its address.
    const std::string copy = keelson_capability_list[0].id;
    if (instance->table(copy.c_str()) != first[0])
        session.fail(copy + ": another table for a copy of the id");
}

void fit_manifest(Session& session) {
    if (!session.options().manifest) Session::skip("no --manifest was given");
    const auto& declared = session.options().manifest->capabilities;
    const auto instance = session.create_local();
    for (const std::string& id : declared) {
        if (instance->table(id.c_str()) == nullptr)
            session.fail("the manifest names " + id + ", which it lacks");
    }
    for (const auto& capability : keelson_capability_list) {
        const bool is_declared = std::find(declared.begin(), declared.end(), capability.id) != declared.end();
        if (!declared.empty() && !is_declared && instance->table(capability.id) != nullptr) {
            session.warn(std::string("it has ") + capability.id + ", which the manifest does not name");
        }
    }
}

}  // namespace

std::vector<Case> capability_cases() {
    return {
        {"capabilities.unknown",
         "capability() answers null for ids that it does not know.",
         {"lifecycle.create"},
         unknown_ids},
        {"capabilities.tables",
         "Every table has a plausible size, and methods that point to code.",
         {"capabilities.unknown"},
         tables},
        {"capabilities.manifest",
         "It has the capabilities that its manifest names.",
         {"capabilities.tables"},
         fit_manifest},
        {"capabilities.stable",
         "capability() answers the same table from create on.",
         {"capabilities.tables", "lifecycle.start"},
         stable},
    };
}

}  // namespace keelson::check
