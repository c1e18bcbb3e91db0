#include "kernel/object/value.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <functional>

namespace keelson::object {

void Arena::grow(std::size_t at_least) {
    constexpr std::size_t kFirstBlock = 4096;
    constexpr std::size_t kLargestBlock = 1 << 20;
    std::size_t size =
        std::max({at_least, std::min(kLargestBlock, std::max(kFirstBlock, reserved_)), last_size_});
    blocks_.push_back(std::make_unique_for_overwrite<char[]>(size));
    next_ = blocks_.back().get();
    remaining_ = last_size_ = size;
    reserved_ += size;
}

void Arena::reserve(std::size_t bytes) {
    if (bytes <= remaining_) return;
    blocks_.push_back(std::make_unique_for_overwrite<char[]>(bytes));
    next_ = blocks_.back().get();
    remaining_ = last_size_ = bytes;
    reserved_ += bytes;
}

void Arena::clear() {
    if (blocks_.empty()) return;
    blocks_.erase(blocks_.begin(), blocks_.end() - 1);
    next_ = blocks_.front().get();
    remaining_ = reserved_ = last_size_;
}

struct Value::List {
    std::uint32_t size;
    std::uint32_t capacity;
    Value* items;
};

struct Value::Map {
    std::uint32_t size;
    std::uint32_t capacity;
    Member* members;
    // Large maps have a hash table of positions plus one (0: free), so that clients cannot make linear looks
    // add up.
    std::uint32_t* slots = nullptr;
    std::uint32_t slot_mask = 0;

    void add_to_index(std::uint32_t position) const {
        std::size_t slot = std::hash<std::string_view>()(members[position].name);
        while (slots[slot & slot_mask] != 0) ++slot;
        slots[slot & slot_mask] = position + 1;
    }
    void fill_index() const {
        std::fill_n(slots, std::size_t{slot_mask} + 1, 0);
        for (std::uint32_t position = 0; position < size; ++position) add_to_index(position);
    }
    [[nodiscard]] Member* find_in_index(std::string_view name) const {
        for (std::size_t slot = std::hash<std::string_view>()(name); slots[slot & slot_mask] != 0; ++slot)
            if (Member& member = members[slots[slot & slot_mask] - 1]; member.name == name) return &member;
        return nullptr;
    }
};

namespace {

// Maps with fewer members are searched from the front.
constexpr std::uint32_t kIndexedFrom = 64;

// Room for one more element; growing leaves the old array to the arena.
template <typename T>
void reserve_one(Arena& arena, T*& data, std::uint32_t size, std::uint32_t& capacity) {
    if (size < capacity) return;
    std::uint32_t larger = capacity == 0 ? 4 : capacity * 2;
    T* grown = arena.allocate_array<T>(larger);
    std::uninitialized_copy(data, data + size, grown);
    data = grown;
    capacity = larger;
}

}  // namespace

Value Value::list(Arena& arena, std::size_t reserve) {
    Value result(Kind::list);
    result.list_ = new (arena.allocate(sizeof(List))) List{
        0, static_cast<std::uint32_t>(reserve), reserve ? arena.allocate_array<Value>(reserve) : nullptr};
    return result;
}

Value Value::map(Arena& arena, std::size_t reserve) {
    Value result(Kind::map);
    result.map_ = new (arena.allocate(sizeof(Map))) Map{
        0, static_cast<std::uint32_t>(reserve), reserve ? arena.allocate_array<Member>(reserve) : nullptr};
    return result;
}

std::int64_t Value::as_integer() const {
    if (kind_ == Kind::integer) return integer_;
    if (kind_ != Kind::real) return 0;
    if (real_ >= 9.2e18) return INT64_MAX;
    if (real_ <= -9.2e18) return INT64_MIN;
    return static_cast<std::int64_t>(real_);
}

double Value::as_real() const {
    if (kind_ == Kind::real) return real_;
    return kind_ == Kind::integer ? static_cast<double>(integer_) : 0.0;
}

std::size_t Value::size() const {
    switch (kind_) {
        case Kind::string:
            return length_;
        case Kind::list:
            return list_->size;
        case Kind::map:
            return map_->size;
        default:
            return 0;
    }
}

Value Value::at(std::size_t index) const {
    return kind_ == Kind::list && index < list_->size ? list_->items[index] : Value();
}

Value* Value::find(std::string_view name) const {
    if (kind_ != Kind::map) return nullptr;
    if (map_->slots) {
        Member* member = map_->find_in_index(name);
        return member ? &member->value : nullptr;
    }
    // Most names differ in length or in the first letter: that is seen without a call.
    const char first = name.empty() ? '\0' : name.front();
    for (Member *member = map_->members, *end = member + map_->size; member != end; ++member) {
        const std::string_view own = member->name;
        if (own.size() != name.size()) continue;
        if (own.data() == name.data() || name.empty()) return &member->value;
        if (own.front() == first && own == name) return &member->value;
    }
    return nullptr;
}

Value Value::operator[](std::string_view name) const {
    const Value* found = find(name);
    return found ? *found : Value();
}

Value Value::path(std::initializer_list<std::string_view> names) const {
    Value current = *this;
    for (std::string_view name : names) current = current[name];
    return current;
}

std::span<Value> Value::items() const {
    return kind_ == Kind::list ? std::span<Value>(list_->items, list_->size) : std::span<Value>();
}

std::span<Member> Value::members() const {
    return kind_ == Kind::map ? std::span<Member>(map_->members, map_->size) : std::span<Member>();
}

void Value::push_back(Arena& arena, Value item) const {
    assert(kind_ == Kind::list);
    reserve_one(arena, list_->items, list_->size, list_->capacity);
    std::construct_at(list_->items + list_->size++, item);
}

void Value::insert(Arena& arena, std::size_t index, Value item) const {
    push_back(arena, item);
    Value* data = list_->items;
    std::rotate(data + index, data + list_->size - 1, data + list_->size);
}

void Value::remove_at(std::size_t index) const {
    assert(kind_ == Kind::list && index < list_->size);
    std::move(list_->items + index + 1, list_->items + list_->size, list_->items + index);
    --list_->size;
}

void Value::append(Arena& arena, std::string_view name, Value value) const {
    assert(kind_ == Kind::map);
    reserve_one(arena, map_->members, map_->size, map_->capacity);
    std::construct_at(map_->members + map_->size++, Member{name, value});
    if (map_->size < kIndexedFrom) return;
    if (!map_->slots || map_->size > map_->slot_mask / 2) {
        std::uint32_t count = std::bit_ceil(map_->size) * 4;
        map_->slots = arena.allocate_array<std::uint32_t>(count);
        map_->slot_mask = count - 1;
        map_->fill_index();
    } else {
        map_->add_to_index(map_->size - 1);
    }
}

void Value::set(Arena& arena, std::string_view name, Value value) const {
    if (Value* found = find(name))
        *found = value;
    else
        append(arena, name, value);
}

bool Value::erase(std::string_view name) const {
    Value* found = find(name);
    if (!found) return false;
    auto all = members();
    std::size_t index = static_cast<std::size_t>(
        reinterpret_cast<Member*>(reinterpret_cast<char*>(found) - offsetof(Member, value)) - all.data());
    std::move(all.begin() + static_cast<std::ptrdiff_t>(index) + 1, all.end(),
              all.begin() + static_cast<std::ptrdiff_t>(index));
    --map_->size;
    if (map_->slots) map_->fill_index();
    return true;
}

void Value::drop_absent() const {
    auto all = members();
    auto rest = std::remove_if(all.begin(), all.end(), [](const Member& m) { return m.value.is_absent(); });
    if (rest == all.end()) return;
    map_->size = static_cast<std::uint32_t>(rest - all.begin());
    if (map_->slots) map_->fill_index();
}

void Value::clear() const {
    if (kind_ == Kind::list) list_->size = 0;
    if (kind_ != Kind::map) return;
    map_->size = 0;
    map_->slots = nullptr;
}

Value Value::child_map(Arena& arena, std::string_view name) const {
    Value* found = find(name);
    if (found && found->is_map()) return *found;
    Value made = Value::map(arena);
    if (found)
        *found = made;
    else
        append(arena, name, made);
    return made;
}

void Value::sort_members() const {
    auto all = members();
    auto by_name = [](const Member& a, const Member& b) { return a.name < b.name; };
    if (std::is_sorted(all.begin(), all.end(), by_name)) return;
    std::sort(all.begin(), all.end(), by_name);
    if (map_->slots) map_->fill_index();
}

Value Value::clone(Arena& arena) const {
    switch (kind_) {
        case Kind::string:
            return string(arena, as_string());
        case Kind::list: {
            Value copy = list(arena, list_->size);
            for (Value item : items()) copy.push_back(arena, item.clone(arena));
            return copy;
        }
        case Kind::map: {
            Value copy = map(arena, map_->size);
            for (const Member& member : members())
                copy.append(arena, arena.copy(member.name), member.value.clone(arena));
            return copy;
        }
        default:
            return *this;
    }
}

namespace {

std::size_t rounded(std::size_t bytes) {
    return (bytes + 7) & ~std::size_t{7};
}

}  // namespace

std::size_t Value::clone_bytes() const {
    std::size_t bytes = 0;
    switch (kind_) {
        case Kind::string:
            return rounded(length_);
        case Kind::list:
            bytes = sizeof(List) + list_->size * sizeof(Value);
            for (Value item : items()) bytes += item.clone_bytes();
            return bytes;
        case Kind::map:
            bytes = sizeof(Map) + map_->size * sizeof(Member);
            for (const Member& member : members())
                bytes += rounded(member.name.size()) + member.value.clone_bytes();
            return bytes;
        default:
            return 0;
    }
}

bool Value::equals(Value other) const {
    if (is_number() && other.is_number()) {
        if (is_integer() && other.is_integer()) return integer_ == other.integer_;
        return as_real() == other.as_real();
    }
    if (kind_ != other.kind_) return false;
    switch (kind_) {
        case Kind::boolean:
            return integer_ == other.integer_;
        case Kind::string:
            return as_string() == other.as_string();
        case Kind::list: {
            auto mine = items(), theirs = other.items();
            return std::equal(mine.begin(), mine.end(), theirs.begin(), theirs.end(),
                              [](Value a, Value b) { return a.equals(b); });
        }
        case Kind::map: {
            auto mine = members(), theirs = other.members();
            if (mine.size() != theirs.size()) return false;
            for (std::size_t i = 0; i < mine.size(); ++i) {
                // The usual case: both in the same order.
                Value match = theirs[i].name == mine[i].name ? theirs[i].value : other[mine[i].name];
                if (match.is_absent() || !mine[i].value.equals(match)) return false;
            }
            return true;
        }
        default:
            return true;
    }
}

}  // namespace keelson::object
