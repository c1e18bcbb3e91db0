#include "kernel/object/managed_fields.h"

#include <algorithm>
#include <string>
#include <vector>

#include "kernel/object/conform.h"
#include "kernel/object/typed.h"

namespace keelson::object {
namespace {

using base::Cause;
using base::Reason;
using base::Result;
using base::Status;

constexpr std::string_view kApply = "Apply";
constexpr std::string_view kUpdate = "Update";
// More managers that update than this are folded into one.
constexpr std::size_t kUpdateManagerLimit = 10;

struct Entry {
    std::string manager;
    std::string operation;
    std::string api_version;
    std::string time;
    std::string subresource;
    FieldSet fields;

    [[nodiscard]] bool is_apply() const { return operation == kApply; }
    // Entries of the same manager are one; an apply entry keeps its identity across versions.
    [[nodiscard]] bool same_manager(const Entry& other) const {
        return manager == other.manager && operation == other.operation && subresource == other.subresource &&
               (is_apply() || api_version == other.api_version);
    }
};

std::vector<Entry> read_entries(Value object) {
    std::vector<Entry> entries;
    for (Value item : object["metadata"]["managedFields"].items()) {
        Entry entry{item["manager"].to_string(),     item["operation"].to_string(),
                    item["apiVersion"].to_string(),  item["time"].to_string(),
                    item["subresource"].to_string(), FieldSet::from_value(item["fieldsV1"])};
        if (!entry.operation.empty()) entries.push_back(std::move(entry));
    }
    return entries;
}

Value write_entry(const Entry& entry, Arena& arena) {
    Value item = Value::map(arena, 7);
    auto put = [&](std::string_view name, const std::string& text) {
        if (!text.empty()) item.append(arena, name, Value::string(arena, text));
    };
    put("manager", entry.manager);
    put("operation", entry.operation);
    put("apiVersion", entry.api_version);
    put("time", entry.time);
    item.append(arena, "fieldsType", Value::reference("FieldsV1"));
    item.append(arena, "fieldsV1", entry.fields.to_value(arena));
    put("subresource", entry.subresource);
    return item;
}

void write_entries(std::vector<Entry> entries, Value object, Arena& arena) {
    Value metadata = object.child_map(arena, "metadata");
    std::erase_if(entries, [](const Entry& entry) { return entry.fields.empty(); });
    if (entries.empty()) {
        metadata.erase("managedFields");
        return;
    }
    std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
        return std::tie(a.operation, a.time, a.manager, a.api_version, a.subresource) <
               std::tie(b.operation, b.time, b.manager, b.api_version, b.subresource);
    });
    Value list = Value::list(arena, entries.size());
    for (const Entry& entry : entries) list.push_back(arena, write_entry(entry, arena));
    metadata.set(arena, "managedFields", list);
}

// What no manager ever owns, and what the endpoint ignores.
void strip(FieldSet& fields, std::span<const std::string_view> reset) {
    fields.erase_child("f:apiVersion");
    fields.erase_child("f:kind");
    for (std::string_view name : {"name", "namespace", "creationTimestamp", "selfLink", "uid", "clusterName",
                                  "generation", "managedFields", "resourceVersion"})
        fields.erase_path({"metadata", name});
    if (FieldSet* metadata = fields.child("f:metadata")) {
        metadata->member = false;
        if (metadata->empty()) fields.erase_child("f:metadata");
    }
    for (std::string_view path : reset) {
        std::size_t dot = path.find('.');
        if (dot == std::string_view::npos)
            fields.erase_path({path});
        else
            fields.erase_path({path.substr(0, dot), path.substr(dot + 1)});
    }
}

Difference stripped_difference(const Type& type, Value before, Value after,
                               std::span<const std::string_view> reset) {
    Difference difference = compare(type, before, after);
    strip(difference.changed, reset);
    strip(difference.removed, reset);
    return difference;
}

// Folds the oldest update entries together once there are too many.
void cap_update_managers(std::vector<Entry>& entries) {
    std::vector<Entry*> updates;
    for (Entry& entry : entries)
        if (!entry.is_apply()) updates.push_back(&entry);
    if (updates.size() <= kUpdateManagerLimit) return;
    std::sort(updates.begin(), updates.end(),
              [](const Entry* a, const Entry* b) { return a->time < b->time; });
    std::size_t surplus = updates.size() - kUpdateManagerLimit + 1;
    Entry* bucket = nullptr;
    for (std::size_t i = 0; i < surplus; ++i) {
        Entry* entry = updates[i];
        if (!bucket) {
            bucket = entry;
            bucket->manager = "ancient-changes";
        } else if (bucket->api_version == entry->api_version) {
            bucket->fields.unite(entry->fields);
            bucket->time = std::max(bucket->time, entry->time);
            entry->fields = FieldSet();
        }
    }
    std::erase_if(entries, [](const Entry& entry) { return entry.fields.empty(); });
}

Entry& find_or_add(std::vector<Entry>& entries, Entry wanted) {
    for (Entry& entry : entries)
        if (entry.same_manager(wanted)) return entry;
    entries.push_back(std::move(wanted));
    return entries.back();
}

Entry entry_of(const FieldManager& manager, std::string_view operation) {
    return Entry{std::string(manager.name),        std::string(operation),
                 std::string(manager.api_version), std::string(manager.time),
                 std::string(manager.subresource), {}};
}

// A single empty entry is how a client asks to forget all managers.
bool asks_for_reset(Value object) {
    Value list = object["metadata"]["managedFields"];
    return list.size() == 1 && list.at(0).is_map() && list.at(0).empty();
}

void record_update(const Type& type, Value live, Value updated, const FieldManager& manager,
                   std::span<const std::string_view> reset, std::vector<Entry>& entries) {
    Difference difference = stripped_difference(type, live, updated, reset);
    for (Entry& entry : entries) {
        if (entry.api_version == manager.api_version) {
            entry.fields.subtract(difference.changed);
            entry.fields.subtract(difference.removed);
        }
    }
    if (!difference.changed.empty()) {
        Entry& mine = find_or_add(entries, entry_of(manager, kUpdate));
        mine.fields.unite(std::move(difference.changed));
        mine.time = manager.time;
    }
    std::erase_if(entries, [](const Entry& entry) { return entry.fields.empty(); });
}

Status conflict_status(const std::vector<std::pair<const Entry*, FieldSet>>& conflicts) {
    struct Row {
        std::string manager;
        std::string path;
    };
    std::vector<Row> rows;
    for (const auto& [entry, fields] : conflicts) {
        std::string manager = "\"" + entry->manager + "\"";
        if (!entry->subresource.empty()) manager += " with subresource \"" + entry->subresource + "\"";
        if (!entry->is_apply()) manager += " using " + entry->api_version;
        for (std::string& path : fields.paths()) rows.push_back({manager, std::move(path)});
    }
    std::sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) {
        return std::tie(a.manager, a.path) < std::tie(b.manager, b.path);
    });
    std::string message = "Apply failed with " + std::to_string(rows.size()) +
                          (rows.size() == 1 ? " conflict: " : " conflicts: ");
    base::StatusDetails details;
    bool several_managers = rows.front().manager != rows.back().manager;
    if (rows.size() == 1) {
        message += "conflict with " + rows[0].manager + ": " + rows[0].path;
    } else {
        if (!several_managers) message += "conflicts with " + rows[0].manager + ":";
        std::string last;
        for (const Row& row : rows) {
            if (several_managers && row.manager != last) {
                if (!last.empty()) message += "\n";
                message += "conflicts with " + row.manager + ":";
                last = row.manager;
            }
            message += "\n- " + row.path;
        }
    }
    for (const Row& row : rows)
        details.causes.push_back(Cause{"FieldManagerConflict", "conflict with " + row.manager, row.path});
    return Status(Reason::conflict, message).with_details(std::move(details));
}

std::string join_errors(const std::vector<std::string>& errors) {
    if (errors.size() == 1) return errors.front();
    std::string text = "errors:";
    for (const std::string& error : errors) text += "\n  " + error;
    return text;
}

}  // namespace

void track_update(const Type& type, Value live, Value updated, const FieldManager& manager,
                  std::span<const std::string_view> reset, Arena& arena) {
    if (asks_for_reset(updated)) {
        updated["metadata"].erase("managedFields");
        return;
    }
    // Entries that the request brings replace those of the object; a subresource cannot touch them.
    std::vector<Entry> entries = manager.subresource.empty() ? read_entries(updated) : std::vector<Entry>();
    if (entries.empty() && live.is_set()) entries = read_entries(live);
    if (live.is_set() && entries.empty()) {
        // An object whose managers were never recorded, or were cleared, stays that way until it is applied.
        updated["metadata"].erase("managedFields");
        return;
    }
    Value before = live.is_set() ? live : canonical(type, Value::map(arena), arena);
    record_update(type, before, updated, manager, reset, entries);
    cap_update_managers(entries);
    write_entries(std::move(entries), updated, arena);
}

Result<Value> apply(const Type& type, Value live, Value configuration, const FieldManager& manager,
                    bool force, std::span<const std::string_view> reset, Arena& arena) {
    if (!configuration["metadata"]["managedFields"].is_absent())
        return Status(Reason::bad_request, "metadata.managedFields must be nil");
    auto errors = apply_errors(type, configuration);
    std::string identity = configuration["metadata"]["namespace"].to_string() + "/" +
                           configuration["metadata"]["name"].to_string() + "; " +
                           configuration["apiVersion"].to_string() +
                           ", Kind=" + configuration["kind"].to_string();
    if (!errors.empty())
        return Status(Reason::unknown,
                      "failed to create typed patch object (" + identity + "): " + join_errors(errors));
    auto typed = conform(type, configuration, arena);
    if (!typed) return std::move(typed).error();

    Value before = live.is_set() ? live : canonical(type, Value::map(arena), arena);
    std::vector<Entry> entries = read_entries(before);
    if (live.is_set() && entries.empty()) {
        FieldManager first = manager;
        first.name = "before-first-apply";
        record_update(type, canonical(type, Value::map(arena), arena), before, first, reset, entries);
    }
    // What the document itself says, without what the canonical form adds.
    FieldSet wanted = mentioned_fields(type, configuration);
    strip(wanted, reset);

    Value merged = merge(type, before, configuration, arena);
    Entry& mine = find_or_add(entries, entry_of(manager, kApply));
    FieldSet last = std::move(mine.fields);
    mine.fields = wanted;
    mine.api_version = manager.api_version;
    std::string previous_time = mine.time;

    FieldSet owned;
    for (const Entry& entry : entries) owned.unite(entry.fields);
    Value result = prune(type, merged, last, owned, arena);
    KEELSON_TRY(result, conform(type, result, arena));

    Difference difference = stripped_difference(type, before, result, reset);
    std::vector<std::pair<const Entry*, FieldSet>> conflicts;
    for (const Entry& entry : entries) {
        if (&entry == &mine || entry.api_version != manager.api_version) continue;
        FieldSet taken = entry.fields.intersection(difference.changed);
        if (!taken.empty()) conflicts.emplace_back(&entry, std::move(taken));
    }
    if (!conflicts.empty() && !force) return conflict_status(conflicts);
    for (Entry& entry : entries) {
        if (&entry == &mine) continue;
        entry.fields.subtract(difference.changed);
        entry.fields.subtract(difference.removed);
    }
    bool same = last == wanted && difference.changed.empty() && difference.removed.empty();
    mine.time = same && !previous_time.empty() ? previous_time : std::string(manager.time);
    write_entries(std::move(entries), result, arena);
    return result;
}

}  // namespace keelson::object
