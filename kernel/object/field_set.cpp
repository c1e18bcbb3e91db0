#include "kernel/object/field_set.h"

#include <utility>

#include "kernel/object/json.h"

namespace keelson::object {
namespace {

void collect_paths(const FieldSet& set, const std::string& at, std::vector<std::string>& out) {
    if (set.member) out.push_back(at);
    for (const auto& [element, child] : set.children()) {
        std::string_view rest = std::string_view(element).substr(2);
        if (element.starts_with("f:")) {
            collect_paths(child, at + "." + std::string(rest), out);
        } else if (element.starts_with("k:")) {
            Arena arena;
            auto key = parse_json(rest, arena);
            std::string text = "[";
            if (key) {
                for (const Member& part : key->members()) {
                    if (text.size() > 1) text += ",";
                    text += std::string(part.name) + "=" + to_json(part.value);
                }
            }
            collect_paths(child, at + text + "]", out);
        } else if (element.starts_with("v:")) {
            collect_paths(child, at + "[=" + std::string(rest) + "]", out);
        } else {
            collect_paths(child, at + "[" + std::string(rest) + "]", out);
        }
    }
}

}  // namespace

const FieldSet* FieldSet::child(std::string_view element) const {
    auto found = children_.find(element);
    return found == children_.end() ? nullptr : &found->second;
}

FieldSet* FieldSet::child(std::string_view element) {
    auto found = children_.find(element);
    return found == children_.end() ? nullptr : &found->second;
}

FieldSet& FieldSet::make_child(std::string_view element) {
    auto found = children_.lower_bound(element);
    if (found != children_.end() && found->first == element) return found->second;
    return children_.emplace_hint(found, std::string(element), FieldSet())->second;
}

void FieldSet::add_child(std::string element, FieldSet child) {
    if (!child.empty()) children_[std::move(element)].unite(std::move(child));
}

void FieldSet::erase_child(std::string_view element) {
    if (auto found = children_.find(element); found != children_.end()) children_.erase(found);
}

void FieldSet::erase_path(std::initializer_list<std::string_view> elements) {
    std::vector<FieldSet*> nodes{this};
    std::vector<std::string> names;
    for (std::string_view element : elements) {
        names.push_back("f:" + std::string(element));
        FieldSet* next = nodes.back()->child(names.back());
        if (!next) return;
        nodes.push_back(next);
    }
    // Parents that became empty go too.
    for (std::size_t i = names.size(); i-- > 0;) {
        nodes[i]->erase_child(names[i]);
        if (!nodes[i]->empty()) return;
    }
}

void FieldSet::unite(const FieldSet& other) {
    member = member || other.member;
    for (const auto& [element, child] : other.children_) make_child(element).unite(child);
}

void FieldSet::unite(FieldSet&& other) {
    if (!empty()) return unite(std::as_const(other));
    *this = std::move(other);
}

void FieldSet::subtract(const FieldSet& other) {
    if (other.member) member = false;
    for (const auto& [element, child] : other.children_) {
        auto found = children_.find(element);
        if (found == children_.end()) continue;
        found->second.subtract(child);
        if (found->second.empty()) children_.erase(found);
    }
}

FieldSet FieldSet::intersection(const FieldSet& other) const {
    FieldSet result;
    result.member = member && other.member;
    for (const auto& [element, mine] : children_)
        if (const FieldSet* theirs = other.child(element))
            result.add_child(std::string(element), mine.intersection(*theirs));
    return result;
}

Value FieldSet::to_value(Arena& arena) const {
    Value result = Value::map(arena, children_.size() + 1);
    if (member && !children_.empty()) result.append(arena, ".", Value::map(arena));
    for (const auto& [element, child] : children_)
        result.append(arena, arena.copy(element), child.to_value(arena));
    return result;
}

FieldSet FieldSet::from_value(Value fields) {
    FieldSet result;
    for (const Member& entry : fields.members()) {
        if (entry.name == ".") {
            result.member = true;
        } else if (entry.name.size() >= 2 && entry.name[1] == ':') {
            FieldSet& child = result.make_child(entry.name);
            child = from_value(entry.value);
            if (entry.value.empty()) child.member = true;
        }
    }
    return result;
}

std::vector<std::string> FieldSet::paths() const {
    std::vector<std::string> out;
    collect_paths(*this, "", out);
    return out;
}

}  // namespace keelson::object
