#include "kernel/object/typed.h"

#include <algorithm>
#include <unordered_map>
#include <vector>

#include "kernel/object/json.h"

namespace keelson::object {
namespace {

// How a place in an object is taken apart.
enum class Structure : std::uint8_t { leaf, fields, entries, keyed_list, value_set };

struct Place {
    const Type& type;
    const Field* field;  // the field that the place is the value of; null for items and the root

    [[nodiscard]] Structure structure() const {
        switch (type.shape) {
            case Shape::structure:
                if (type.map_type == MapType::atomic || (field && field->map_type == MapType::atomic))
                    return Structure::leaf;
                return type.fields.empty() ? Structure::leaf : Structure::fields;
            case Shape::map:
                return field && field->map_type == MapType::atomic ? Structure::leaf : Structure::entries;
            case Shape::list:
                if (field && field->list_type == ListType::map) return Structure::keyed_list;
                if (field && field->list_type == ListType::set) return Structure::value_set;
                return Structure::leaf;
            default:
                return Structure::leaf;
        }
    }
};

std::string field_element(std::string_view name) {
    std::string element;
    element.reserve(name.size() + 2);
    element += "f:";
    element += name;
    return element;
}

// The path element of an item of a keyed list; keys that are absent take the schema's default.
std::string key_element(const Place& list, Value item) {
    std::vector<std::string_view> keys;
    std::string_view rest = list.field->list_keys;
    while (!rest.empty()) {
        std::size_t comma = rest.find(',');
        keys.push_back(rest.substr(0, comma));
        rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
    }
    std::sort(keys.begin(), keys.end());
    std::string text = "k:{";
    for (std::string_view key : keys) {
        std::string value_text;
        Value value = item[key];
        if (value.is_set()) {
            write_json(value, value_text);
        } else if (const Field* field = list.type.element->field(key);
                   field && !field->open_api_default.empty()) {
            value_text = field->open_api_default;
        } else {
            continue;
        }
        if (text.size() > 3) text += ',';
        write_json_string(key, text);
        text += ':';
        text += value_text;
    }
    return text + '}';
}

std::string item_element(const Place& list, Structure structure, Value item) {
    if (structure == Structure::keyed_list) return key_element(list, item);
    std::string text = "v:";
    write_json(item, text);
    return text;
}

Place item_place(const Place& list) {
    return Place{*list.type.element, nullptr};
}

Place field_place(const Field& field) {
    return Place{*field.type, &field};
}

using Items = std::unordered_map<std::string, Value>;

Items index_items(const Place& list, Structure structure, Value value) {
    Items items;
    for (Value item : value.items()) items.emplace(item_element(list, structure, item), item);
    return items;
}

void compare_places(const Place& place, Value before, Value after, FieldSet& changed, FieldSet& removed);

void compare_child(const std::string& element, const Place& place, Value before, Value after,
                   FieldSet& changed, FieldSet& removed) {
    FieldSet child_changed, child_removed;
    compare_places(place, before, after, child_changed, child_removed);
    changed.add_child(element, std::move(child_changed));
    removed.add_child(element, std::move(child_removed));
}

void compare_lists(const Place& place, Structure structure, Value before, Value after, FieldSet& changed,
                   FieldSet& removed) {
    if (before.empty()) {
        for (Value item : after.items())
            compare_child(item_element(place, structure, item), item_place(place), Value(), item, changed,
                          removed);
        return;
    }
    Items old_items = index_items(place, structure, before);
    Items seen;
    for (Value item : after.items()) {
        std::string element = item_element(place, structure, item);
        auto old = old_items.find(element);
        compare_child(element, item_place(place), old == old_items.end() ? Value() : old->second, item,
                      changed, removed);
        seen.emplace(std::move(element), item);
    }
    for (const auto& [element, item] : old_items)
        if (!seen.contains(element))
            compare_child(element, item_place(place), item, Value(), changed, removed);
}

void compare_places(const Place& place, Value before, Value after, FieldSet& changed, FieldSet& removed) {
    if (before.is_absent() && after.is_absent()) return;
    if (before.is_absent()) changed.member = true;
    if (after.is_absent()) removed.member = true;
    Structure structure = place.structure();
    switch (structure) {
        case Structure::leaf:
            if (!before.is_absent() && !after.is_absent() && !before.equals(after)) changed.member = true;
            return;
        case Structure::fields:
            for (const Field& field : place.type.fields) {
                Value old = before[field.name], now = after[field.name];
                if (old.is_absent() && now.is_absent()) continue;
                compare_child(field_element(field.name), field_place(field), old, now, changed, removed);
            }
            return;
        case Structure::entries:
            for (const Member& entry : after.members())
                compare_child(field_element(entry.name), item_place(place), before[entry.name], entry.value,
                              changed, removed);
            for (const Member& entry : before.members())
                if (!after.has(entry.name))
                    compare_child(field_element(entry.name), item_place(place), entry.value, Value(), changed,
                                  removed);
            return;
        case Structure::keyed_list:
        case Structure::value_set:
            compare_lists(place, structure, before, after, changed, removed);
            return;
    }
}

void mention(const Place& place, Value value, FieldSet& set) {
    Structure structure = place.structure();
    if (structure == Structure::leaf || value.empty()) {
        set.member = true;
        return;
    }
    switch (structure) {
        case Structure::fields:
            for (const Field& field : place.type.fields)
                if (Value member = value[field.name]; !member.is_absent())
                    mention(field_place(field), member, set.make_child(field_element(field.name)));
            return;
        case Structure::entries:
            for (const Member& entry : value.members())
                mention(item_place(place), entry.value, set.make_child(field_element(entry.name)));
            return;
        default:
            for (Value item : value.items()) {
                FieldSet& child = set.make_child(item_element(place, structure, item));
                child.member = true;
                if (structure == Structure::keyed_list) mention(item_place(place), item, child);
            }
    }
}

Value merge_places(const Place& place, Value live, Value configuration, Arena& arena);

// Items keep the order of the live list; those of the configuration keep theirs among themselves.
Value merge_lists(const Place& place, Structure structure, Value live, Value configuration, Arena& arena) {
    Items existing = index_items(place, structure, live);
    auto live_items = live.items(), new_items = configuration.items();
    std::vector<std::string> new_elements;
    std::unordered_map<std::string_view, std::size_t> last_place;  // in the configuration
    new_elements.reserve(new_items.size());
    for (Value item : new_items) new_elements.push_back(item_element(place, structure, item));
    for (std::size_t i = 0; i < new_elements.size(); ++i) last_place[new_elements[i]] = i;
    Value result = Value::list(arena, live.size() + configuration.size());
    std::size_t l = 0, n = 0;
    while (l < live_items.size() || n < new_items.size()) {
        if (l < live_items.size()) {
            auto configured = last_place.find(item_element(place, structure, live_items[l]));
            if (configured == last_place.end()) {
                result.push_back(arena, live_items[l++]);
                continue;
            }
            // Shared items appear where the configuration has them.
            bool here = n < new_items.size() && new_elements[n] == configured->first;
            bool later = n < new_items.size() && configured->second >= n;
            if (here || !later) ++l;
            if (!here && !later) continue;
        }
        if (n < new_items.size()) {
            auto old = existing.find(new_elements[n]);
            result.push_back(arena, old == existing.end()
                                        ? new_items[n]
                                        : merge_places(item_place(place), old->second, new_items[n], arena));
            ++n;
        }
    }
    return result;
}

Value merge_places(const Place& place, Value live, Value configuration, Arena& arena) {
    if (configuration.is_absent()) return live;
    Structure structure = place.structure();
    if (live.is_unset() || structure == Structure::leaf) return configuration;
    if (configuration.is_null()) return configuration;
    if (structure == Structure::keyed_list || structure == Structure::value_set)
        return merge_lists(place, structure, live, configuration, arena);
    Value result = Value::map(arena, live.size() + configuration.size());
    for (const Member& entry : live.members()) result.append(arena, entry.name, entry.value);
    for (const Member& entry : configuration.members()) {
        const Field* field = structure == Structure::fields ? place.type.field(entry.name) : nullptr;
        if (structure == Structure::fields && !field) continue;
        Place child = field ? field_place(*field) : item_place(place);
        result.set(arena, entry.name, merge_places(child, live[entry.name], entry.value, arena));
    }
    return result;
}

Value prune_places(const Place& place, Value value, const FieldSet& last, const FieldSet* owned,
                   Arena& arena);

// Whether an element goes: it was applied before and nobody owns it or anything below it.
bool goes(const FieldSet* last, const FieldSet* owned) {
    return last && last->member && (!owned || owned->empty());
}

Value prune_places(const Place& place, Value value, const FieldSet& last, const FieldSet* owned,
                   Arena& arena) {
    Structure structure = place.structure();
    if (structure == Structure::leaf || last.children().empty()) return value;
    auto keep = [&](const std::string& element, const Place& child, Value member, auto&& add) {
        const FieldSet* child_last = last.child(element);
        const FieldSet* child_owned = owned ? owned->child(element) : nullptr;
        if (goes(child_last, child_owned)) return;
        add(child_last ? prune_places(child, member, *child_last, child_owned, arena) : member);
    };
    if (structure == Structure::keyed_list || structure == Structure::value_set) {
        Value result = Value::list(arena, value.size());
        for (Value item : value.items())
            keep(item_element(place, structure, item), item_place(place), item,
                 [&](Value kept) { result.push_back(arena, kept); });
        return result;
    }
    Value result = Value::map(arena, value.size());
    for (const Member& entry : value.members()) {
        const Field* field = structure == Structure::fields ? place.type.field(entry.name) : nullptr;
        if (structure == Structure::fields && !field) continue;
        keep(field_element(entry.name), field ? field_place(*field) : item_place(place), entry.value,
             [&](Value kept) { result.append(arena, entry.name, kept); });
    }
    return result;
}

void find_apply_errors(const Place& place, Value value, const std::string& path,
                       std::vector<std::string>& errors) {
    if (value.is_unset()) return;
    switch (place.type.shape) {
        case Shape::structure:
            for (const Member& entry : value.members()) {
                std::string at = path + "." + std::string(entry.name);
                if (const Field* field = place.type.field(entry.name))
                    find_apply_errors(field_place(*field), entry.value, at, errors);
                else
                    errors.push_back(at + ": field not declared in schema");
            }
            return;
        case Shape::map:
            for (const Member& entry : value.members())
                find_apply_errors(item_place(place), entry.value, path + "." + std::string(entry.name),
                                  errors);
            return;
        case Shape::list: {
            Structure structure = place.structure();
            std::unordered_map<std::string, int> seen;
            std::size_t index = 0;
            for (Value item : value.items()) {
                std::string at = path + "[" + std::to_string(index++) + "]";
                if (structure == Structure::keyed_list || structure == Structure::value_set) {
                    FieldSet one;
                    one.make_child(item_element(place, structure, item)).member = true;
                    at = path + one.paths().front();
                    if (++seen[at] == 2)
                        errors.push_back(path + ": duplicate entries for key " + at.substr(path.size()));
                }
                find_apply_errors(item_place(place), item, at, errors);
            }
            return;
        }
        default:
            return;
    }
}

}  // namespace

Difference compare(const Type& type, Value before, Value after) {
    Difference difference;
    compare_places(Place{type, nullptr}, before, after, difference.changed, difference.removed);
    difference.changed.member = difference.removed.member = false;
    return difference;
}

FieldSet mentioned_fields(const Type& type, Value configuration) {
    FieldSet set;
    mention(Place{type, nullptr}, configuration, set);
    set.member = false;
    return set;
}

Value merge(const Type& type, Value live, Value configuration, Arena& arena) {
    return merge_places(Place{type, nullptr}, live, configuration, arena);
}

Value prune(const Type& type, Value value, const FieldSet& last, const FieldSet& owned, Arena& arena) {
    return prune_places(Place{type, nullptr}, value, last, &owned, arena);
}

std::vector<std::string> apply_errors(const Type& type, Value configuration) {
    std::vector<std::string> errors;
    find_apply_errors(Place{type, nullptr}, configuration, "", errors);
    return errors;
}

}  // namespace keelson::object
