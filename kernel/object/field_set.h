// Sets of field paths, as server-side apply records them in managedFields (FieldsV1).
//
// A set is a tree: each node says whether its own path is in the set and has children by path element,
// written as in FieldsV1: "f:name" for a field, `k:{"name":"a"}` for an item of a keyed list, `v:"x"` for a
// member of a set. See https://kubernetes.io/docs/reference/using-api/server-side-apply/.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/object/value.h"

namespace keelson::object {

class FieldSet {
  public:
    bool member = false;

    [[nodiscard]] bool empty() const { return !member && children_.empty(); }
    [[nodiscard]] const std::map<std::string, FieldSet, std::less<>>& children() const { return children_; }
    // Null when there is no such child.
    [[nodiscard]] const FieldSet* child(std::string_view element) const;
    FieldSet* child(std::string_view element);
    FieldSet& make_child(std::string_view element);
    // Adds a subtree unless it is empty.
    void add_child(std::string element, FieldSet child);
    void erase_child(std::string_view element);
    // Removes the path ("metadata", "name") and all below it.
    void erase_path(std::initializer_list<std::string_view> elements);

    void unite(const FieldSet& other);
    void unite(FieldSet&& other);
    void subtract(const FieldSet& other);
    [[nodiscard]] FieldSet intersection(const FieldSet& other) const;
    bool operator==(const FieldSet&) const = default;

    // FieldsV1 JSON and back; what is not a FieldsV1 object reads as the empty set.
    [[nodiscard]] Value to_value(Arena& arena) const;
    [[nodiscard]] static FieldSet from_value(Value fields);

    // Every member path in the notation of conflict messages: `.spec.containers[name="a"].image`.
    [[nodiscard]] std::vector<std::string> paths() const;

  private:
    std::map<std::string, FieldSet, std::less<>> children_;
};

}  // namespace keelson::object
