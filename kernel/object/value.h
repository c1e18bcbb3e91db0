// Value: one JSON value in an Arena. A Value is a 16-byte handle; copies refer to the same list or map, so a
// change through one is seen through all. Strings and member names are views into the arena (or into static
// memory).
//
// Maps keep insertion order. Reading is total: a missing member, a wrong kind or an index past the end reads
// as an absent Value, whose accessors give zero values. So paths may be walked without checks:
//     pod["spec"]["containers"].at(0)["name"].as_string()
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

#include "kernel/object/arena.h"

namespace keelson::object {

enum class Kind : std::uint8_t { absent, null, boolean, integer, real, string, list, map };

struct Member;

class Value {
  public:
    Value() = default;

    static Value null() { return Value(Kind::null); }
    static Value boolean(bool value) {
        Value result(Kind::boolean);
        result.integer_ = value ? 1 : 0;
        return result;
    }
    static Value integer(std::int64_t value) {
        Value result(Kind::integer);
        result.integer_ = value;
        return result;
    }
    static Value real(double value) {
        Value result(Kind::real);
        result.real_ = value;
        return result;
    }
    // Refers to text; the text must live as long as the arena (literals, arena copies).
    static Value reference(std::string_view text) {
        Value result(Kind::string);
        result.length_ = static_cast<std::uint32_t>(text.size());
        result.text_ = text.data();
        return result;
    }
    static Value string(Arena& arena, std::string_view text) { return reference(arena.copy(text)); }
    static Value list(Arena& arena, std::size_t reserve = 0);
    static Value map(Arena& arena, std::size_t reserve = 0);

    [[nodiscard]] Kind kind() const { return kind_; }
    [[nodiscard]] bool is_absent() const { return kind_ == Kind::absent; }
    // Absent or null: what a typed field reads as "not set".
    [[nodiscard]] bool is_unset() const { return kind_ <= Kind::null; }
    [[nodiscard]] bool is_set() const { return kind_ > Kind::null; }
    [[nodiscard]] bool is_null() const { return kind_ == Kind::null; }
    [[nodiscard]] bool is_boolean() const { return kind_ == Kind::boolean; }
    [[nodiscard]] bool is_integer() const { return kind_ == Kind::integer; }
    [[nodiscard]] bool is_number() const { return kind_ == Kind::integer || kind_ == Kind::real; }
    [[nodiscard]] bool is_string() const { return kind_ == Kind::string; }
    [[nodiscard]] bool is_list() const { return kind_ == Kind::list; }
    [[nodiscard]] bool is_map() const { return kind_ == Kind::map; }

    [[nodiscard]] bool as_boolean() const { return kind_ == Kind::boolean && integer_ != 0; }
    [[nodiscard]] std::int64_t as_integer() const;  // reals are truncated; other kinds give 0
    [[nodiscard]] double as_real() const;
    [[nodiscard]] std::string_view as_string() const {
        return kind_ == Kind::string ? std::string_view(text_, length_) : std::string_view();
    }
    [[nodiscard]] std::string to_string() const { return std::string(as_string()); }

    // Members of a list or map; bytes of a string; 0 otherwise.
    [[nodiscard]] std::size_t size() const;
    [[nodiscard]] bool empty() const { return size() == 0; }

    [[nodiscard]] Value at(std::size_t index) const;              // list item
    [[nodiscard]] Value operator[](std::string_view name) const;  // map member
    [[nodiscard]] bool has(std::string_view name) const { return !(*this)[name].is_absent(); }
    [[nodiscard]] Value path(std::initializer_list<std::string_view> names) const;
    [[nodiscard]] std::span<Value> items() const;            // empty unless a list
    [[nodiscard]] std::span<Member> members() const;         // empty unless a map
    [[nodiscard]] Value* find(std::string_view name) const;  // null when there is none

    // Changing; the Value must be a list or a map respectively. Names and values must live in the arena.
    void push_back(Arena& arena, Value item) const;
    void insert(Arena& arena, std::size_t index, Value item) const;
    void remove_at(std::size_t index) const;
    void set(Arena& arena, std::string_view name,
             Value value) const;  // replaces or appends; name is not copied
    void append(Arena& arena, std::string_view name, Value value) const;  // no look for an existing member
    bool erase(std::string_view name) const;
    void clear() const;
    // Removes the members whose value is absent: many are removed faster so than one by one.
    void drop_absent() const;
    // The member, made an empty map first when it is unset.
    Value child_map(Arena& arena, std::string_view name) const;
    // Sorts the members by name.
    void sort_members() const;

    // A copy that shares nothing with this one (strings included).
    [[nodiscard]] Value clone(Arena& arena) const;
    // What a clone needs of an arena, to reserve it; very large maps want a little more.
    [[nodiscard]] std::size_t clone_bytes() const;
    // Deep equality; map order does not matter; 1 and 1.0 are equal.
    [[nodiscard]] bool equals(Value other) const;

  private:
    explicit Value(Kind kind) : kind_(kind) {}
    struct List;
    struct Map;

    Kind kind_ = Kind::absent;
    std::uint32_t length_ = 0;
    union {
        std::int64_t integer_ = 0;
        double real_;
        const char* text_;
        List* list_;
        Map* map_;
    };
};

struct Member {
    std::string_view name;
    Value value;
};

static_assert(sizeof(Value) == 16);

// An arena and the value that lives in it.
struct Document {
    Arena arena;
    Value root;
};

}  // namespace keelson::object
