#include "kernel/object/patch.h"

#include <algorithm>
#include <charconv>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "kernel/object/json.h"

namespace keelson::object {
namespace {

using base::Reason;
using base::Result;
using base::Status;

constexpr std::size_t kOperationLimit = 10'000;
// What all copies of one patch may add: copying a document into itself doubles it each time.
constexpr std::size_t kCopyLimitBytes = 3 << 20;

Status rejected() {
    // Kubernetes does not tell clients which operation failed.
    base::StatusDetails details;
    return Status(Reason::invalid, "the server rejected our request due to an error in our request")
        .with_details(std::move(details));
}

// A JSON pointer taken apart; false when it is not one.
bool split_pointer(std::string_view pointer, std::vector<std::string>& parts) {
    if (pointer.empty()) return true;
    if (pointer[0] != '/') return false;
    std::string part;
    for (std::size_t i = 1; i <= pointer.size(); ++i) {
        if (i == pointer.size() || pointer[i] == '/') {
            parts.push_back(std::move(part));
            part.clear();
        } else if (pointer[i] == '~' && i + 1 < pointer.size() &&
                   (pointer[i + 1] == '0' || pointer[i + 1] == '1')) {
            part += pointer[++i] == '0' ? '~' : '/';
        } else {
            part += pointer[i];
        }
    }
    return true;
}

bool parse_index(std::string_view text, std::size_t size, std::size_t& index) {
    long number = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size()) return false;
    if (number < 0) number += static_cast<long>(size);
    if (number < 0) return false;
    index = static_cast<std::size_t>(number);
    return true;
}

class JsonPatch {
  public:
    JsonPatch(Value target, Arena& arena) : root_(target), arena_(arena) {}

    bool apply(Value operation) {
        std::string_view name = operation["op"].as_string();
        std::vector<std::string> path;
        if (!operation["path"].is_string() || !split_pointer(operation["path"].as_string(), path))
            return false;
        if (name == "add") return operation.has("value") && add(path, operation["value"].clone(arena_));
        if (name == "remove") return remove(path);
        if (name == "replace")
            return operation.has("value") && replace(path, operation["value"].clone(arena_));
        if (name == "test") return test(path, operation["value"]);
        if (name == "move" || name == "copy") {
            std::vector<std::string> from;
            if (!operation["from"].is_string() || !split_pointer(operation["from"].as_string(), from))
                return false;
            Value* found = find(from, from.size());
            if (!found) return false;
            if (name == "copy") {
                copied_bytes_ += to_json(*found).size();
                if (copied_bytes_ > kCopyLimitBytes) return false;
            }
            Value value = found->clone(arena_);
            if (name == "move" && !remove(from)) return false;
            return add(path, value);
        }
        return false;
    }

    [[nodiscard]] Value root() const { return root_; }

  private:
    // The value at the first `count` parts of a path; null when there is none.
    Value* find(const std::vector<std::string>& path, std::size_t count) {
        Value* current = &root_;
        for (std::size_t i = 0; i < count; ++i) {
            if (current->is_map()) {
                current = current->find(path[i]);
            } else if (current->is_list()) {
                std::size_t index;
                if (!parse_index(path[i], current->size(), index) || index >= current->size()) return nullptr;
                current = &current->items()[index];
            } else {
                return nullptr;
            }
            if (!current) return nullptr;
        }
        return current;
    }

    bool add(const std::vector<std::string>& path, Value value) {
        if (path.empty()) {
            root_ = value;
            return true;
        }
        Value* parent = find(path, path.size() - 1);
        if (!parent) return false;
        if (parent->is_map()) {
            parent->set(arena_, arena_.copy(path.back()), value);
            return true;
        }
        if (!parent->is_list()) return false;
        std::size_t index = parent->size();
        if (path.back() != "-" &&
            (!parse_index(path.back(), parent->size() + 1, index) || index > parent->size()))
            return false;
        parent->insert(arena_, index, value);
        return true;
    }

    bool remove(const std::vector<std::string>& path) {
        if (path.empty()) return false;
        Value* parent = find(path, path.size() - 1);
        if (!parent) return false;
        if (parent->is_map()) return parent->erase(path.back());
        std::size_t index;
        if (!parent->is_list() || !parse_index(path.back(), parent->size(), index) || index >= parent->size())
            return false;
        parent->remove_at(index);
        return true;
    }

    bool replace(const std::vector<std::string>& path, Value value) {
        Value* found = find(path, path.size());
        if (!found) return false;
        *found = value;
        return true;
    }

    bool test(const std::vector<std::string>& path, Value expected) {
        Value* found = find(path, path.size());
        if (!found) return expected.is_unset();
        return (found->is_unset() && expected.is_unset()) || found->equals(expected);
    }

    Value root_;
    Arena& arena_;
    std::size_t copied_bytes_ = 0;
};

constexpr std::string_view kPatch = "$patch";
constexpr std::string_view kRetainKeys = "$retainKeys";
constexpr std::string_view kSetOrder = "$setElementOrder/";
constexpr std::string_view kDeletePrimitive = "$deleteFromPrimitiveList/";

class StrategicMerge {
  public:
    explicit StrategicMerge(Arena& arena) : arena_(arena) {}

    Result<Value> merge_map(const Type* type, Value target, Value patch) {
        if (Value directive = patch[kPatch]; !directive.is_absent()) {
            std::string_view name = directive.as_string();
            if (name == "replace") return without_directives(patch);
            if (name == "delete") return Value::map(arena_);
            if (name != "merge")
                return Status(Reason::unknown,
                              "unknown patch type: " + go_text(directive) + " in map: " + go_text(patch));
        }
        Value result = Value::map(arena_, target.size() + patch.size());
        for (const Member& member : target.members()) result.append(arena_, member.name, member.value);
        KEELSON_TRY_VOID(retain_keys(result, patch));
        for (const Member& member : patch.members()) {
            if (member.name.starts_with('$')) {
                KEELSON_TRY_VOID(merge_list_directive(type, member, result, patch));
                continue;
            }
            KEELSON_TRY_VOID(merge_member(type, member, result, patch));
        }
        result.drop_absent();
        return result;
    }

  private:
    Value without_directives(Value patch) {
        Value result = Value::map(arena_, patch.size());
        for (const Member& member : patch.members())
            if (!member.name.starts_with('$')) result.append(arena_, member.name, member.value);
        return result;
    }

    Result<void> retain_keys(Value result, Value patch) {
        Value keys = patch[kRetainKeys];
        if (keys.is_absent()) return base::ok();
        if (!keys.is_list())
            return Status(Reason::bad_request, "invalid retainKeys: the list must hold field names");
        std::unordered_set<std::string_view> kept;
        for (Value key : keys.items()) kept.insert(key.as_string());
        for (Member& member : result.members())
            if (!kept.contains(member.name)) member.value = Value();
        result.drop_absent();
        return base::ok();
    }

    static const Type* member_type(const Type* type, std::string_view name, const Field*& field) {
        field = nullptr;
        if (!type) return nullptr;
        if (type->shape == Shape::structure) {
            field = type->field(name);
            return field ? field->type : nullptr;
        }
        return type->shape == Shape::map ? type->element : nullptr;
    }

    Result<void> merge_member(const Type* type, const Member& member, Value result, Value patch) {
        const Field* field;
        const Type* inner = member_type(type, member.name, field);
        if (member.value.is_null()) {
            // Dropped at the end, all at once.
            if (Value* removed = result.find(member.name)) *removed = Value();
            return base::ok();
        }
        Value current = result[member.name];
        if (member.value.is_map()) {
            bool replaces = field && field->type->shape == Shape::any;
            KEELSON_TRY(
                Value merged,
                merge_map(inner, current.is_map() && !replaces ? current : Value::map(arena_), member.value));
            result.set(arena_, member.name, merged);
            return base::ok();
        }
        if (member.value.is_list()) {
            Value order = patch[std::string(kSetOrder) + std::string(member.name)];
            bool merges = field && field->has(Field::patch_merge);
            KEELSON_TRY(Value merged, merge_list(field, current, member.value, order, merges));
            result.set(arena_, member.name, merged);
            return base::ok();
        }
        result.set(arena_, member.name, member.value);
        return base::ok();
    }

    // $setElementOrder/x and $deleteFromPrimitiveList/x when x itself is not in the patch.
    Result<void> merge_list_directive(const Type* type, const Member& member, Value result, Value patch) {
        if (member.name.starts_with(kDeletePrimitive)) {
            std::string_view name = member.name.substr(kDeletePrimitive.size());
            Value current = result[name];
            if (!current.is_list()) return base::ok();
            Value kept = Value::list(arena_, current.size());
            std::unordered_set<std::string> dropped;
            for (Value item : member.value.items()) dropped.insert(to_json(item));
            for (Value item : current.items())
                if (!dropped.contains(to_json(item))) kept.push_back(arena_, item);
            result.set(arena_, name, kept);
        } else if (member.name.starts_with(kSetOrder)) {
            std::string_view name = member.name.substr(kSetOrder.size());
            if (patch.has(name) || !result[name].is_list()) return base::ok();
            const Field* field;
            member_type(type, name, field);
            std::string_view key = field ? field->patch_key : std::string_view();
            result.set(arena_, name, ordered(result[name], member.value, result[name], key));
        }
        return base::ok();
    }

    // What makes two items of a list the same one: their key, or all of them. Empty when there is no key.
    static std::string identity(Value item, std::string_view key) {
        if (key.empty()) return to_json(item);
        Value value = item[key];
        return value.is_set() ? to_json(value) : std::string();
    }

    // Where the items of a list stand, by identity.
    class Positions {
      public:
        Positions(Value list, std::string_view key) : key_(key) {
            std::size_t at = 0;
            for (Value item : list.items()) places_.emplace(identity(item, key), at++);
            places_.erase(std::string());
        }
        // -1 when it is not there.
        [[nodiscard]] long of(Value item) const {
            auto found = places_.find(identity(item, key_));
            return found == places_.end() ? -1 : static_cast<long>(found->second);
        }

      private:
        std::string_view key_;
        std::unordered_map<std::string, std::size_t> places_;
    };

    // Items named in `order` come in that order. The others keep theirs among themselves and go before a
    // named item only when they stood before it in `before`.
    Value ordered(Value list, Value order, Value before, std::string_view key) {
        if (!order.is_list() || order.empty()) return list;
        std::vector<Value> named(order.size()), others;
        const Positions in_order(order, key), earlier(before, key);
        for (Value item : list.items()) {
            long at = in_order.of(item);
            if (at >= 0)
                named[static_cast<std::size_t>(at)] = item;
            else
                others.push_back(item);
        }
        std::erase_if(named, [](Value item) { return item.is_absent(); });
        Value result = Value::list(arena_, list.size());
        std::size_t other = 0;
        for (Value item : named) {
            long mine = earlier.of(item);
            while (other < others.size()) {
                long theirs = earlier.of(others[other]);
                if (mine < 0 || theirs < 0 || theirs > mine) break;
                result.push_back(arena_, others[other++]);
            }
            result.push_back(arena_, item);
        }
        for (; other < others.size(); ++other) result.push_back(arena_, others[other]);
        return result;
    }

    Result<Value> merge_list(const Field* field, Value current, Value patch, Value order, bool merges) {
        std::string_view key = field ? field->patch_key : std::string_view();
        bool of_maps = !patch.empty() ? patch.at(0).is_map() : current.at(0).is_map();
        bool replace_all = false;
        for (Value item : patch.items()) {
            if (!item.is_map()) continue;
            std::string_view directive = item[kPatch].as_string();
            if (item[kPatch].is_absent() || directive == "delete" || directive == "merge") continue;
            if (directive != "replace")
                return Status(Reason::unknown,
                              "unknown patch type: " + go_text(item[kPatch]) + " in list: " + go_text(item));
            replace_all = true;
        }
        if (!merges || replace_all) {
            Value result = Value::list(arena_, patch.size());
            for (Value item : patch.items())
                if (item.is_map() && item.has(kPatch)) {
                    if (item.size() > 1) result.push_back(arena_, without_directives(item));
                } else {
                    result.push_back(arena_, item);
                }
            return result;
        }
        if (!current.is_list()) current = Value::list(arena_);
        if (order.empty()) order = patch;
        if (!of_maps) return ordered(merge_primitives(current, patch), order, current, {});
        if (key.empty()) return patch;
        KEELSON_TRY(Value merged, merge_keyed(*field, current, patch, key));
        return ordered(merged, order, current, key);
    }

    Value merge_primitives(Value current, Value patch) {
        Value result = Value::list(arena_, current.size() + patch.size());
        std::unordered_set<std::string> known;
        auto add_new = [&](Value item) {
            if (known.insert(to_json(item)).second) result.push_back(arena_, item);
        };
        for (Value item : current.items()) add_new(item);
        for (Value item : patch.items()) add_new(item);
        return result;
    }

    Result<Value> merge_keyed(const Field& field, Value current, Value patch, std::string_view key) {
        std::vector<Value> items(current.items().begin(), current.items().end());
        std::unordered_map<std::string, std::vector<std::size_t>> places;
        for (std::size_t i = 0; i < items.size(); ++i) places[identity(items[i], key)].push_back(i);
        for (Value item : patch.items()) {
            if (!item.is_map() || item[key].is_unset())
                return Status(
                    Reason::unknown,
                    "map: " + go_text(item) + " does not contain declared merge key: " + std::string(key));
            std::vector<std::size_t>& known = places[identity(item, key)];
            if (item[kPatch].as_string() == "delete") {
                for (std::size_t at : known) items[at] = Value();
                known.clear();
                continue;
            }
            if (known.empty()) {
                known.push_back(items.size());
                items.push_back(Value::map(arena_));
            }
            Value& merged = items[known.front()];
            KEELSON_TRY(merged, merge_map(field.type->element, merged, item));
        }
        Value result = Value::list(arena_, items.size());
        for (Value item : items)
            if (!item.is_absent()) result.push_back(arena_, item);
        return result;
    }

    Arena& arena_;
};

}  // namespace

std::string go_text(Value value) {
    switch (value.kind()) {
        case Kind::string:
            return value.to_string();
        case Kind::boolean:
            return value.as_boolean() ? "true" : "false";
        case Kind::integer:
            return std::to_string(value.as_integer());
        case Kind::map: {
            std::string text = "map[";
            std::vector<Member> sorted(value.members().begin(), value.members().end());
            std::sort(sorted.begin(), sorted.end(),
                      [](const Member& a, const Member& b) { return a.name < b.name; });
            for (const Member& member : sorted) {
                if (text.size() > 4) text += ' ';
                text += std::string(member.name) + ":" + go_text(member.value);
            }
            return text + "]";
        }
        case Kind::list: {
            std::string text = "[";
            for (Value item : value.items()) {
                if (text.size() > 1) text += ' ';
                text += go_text(item);
            }
            return text + "]";
        }
        default:
            return "<nil>";
    }
}

Result<Value> json_patch(Value target, Value patch, Arena& arena) {
    if (patch.size() > kOperationLimit)
        return Status(
            Reason::request_entity_too_large,
            "The allowed maximum operations in a JSON patch is 10000, got " + std::to_string(patch.size()));
    JsonPatch work(target.clone(arena), arena);
    for (Value operation : patch.items())
        if (!work.apply(operation)) return rejected();
    return work.root();
}

Value merge_patch(Value target, Value patch, Arena& arena) {
    if (!patch.is_map()) return patch;
    Value result = Value::map(arena, target.size() + patch.size());
    for (const Member& member : target.members()) {
        const Value* change = patch.find(member.name);
        if (!change)
            result.append(arena, member.name, member.value);
        else if (!change->is_null())
            result.append(arena, member.name, merge_patch(member.value, *change, arena));
    }
    for (const Member& member : patch.members())
        if (!member.value.is_null() && !target.has(member.name))
            result.append(arena, member.name, merge_patch(Value(), member.value, arena));
    return result;
}

Result<Value> strategic_merge_patch(const Type& type, Value target, Value patch, Arena& arena) {
    return StrategicMerge(arena).merge_map(&type, target, patch);
}

}  // namespace keelson::object
