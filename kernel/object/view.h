// What the generated accessors (kernel/object/accessors/*.h, tools/generate_accessors.py) are made of: light
// typed handles on a Value. They are as cheap to copy as a Value, and reading is as total: what is not there
// reads as empty.
//
//     core_v1::Pod pod(document.root);
//     for (core_v1::Container container : pod.spec().containers()) use(container.image());
//     pod.make_metadata(arena).make_labels(arena).set(arena, "app", "web");
#pragma once

#include <concepts>
#include <cstddef>
#include <iterator>
#include <string_view>

#include "kernel/object/value.h"

namespace keelson::object {

// A structure. Setters need a map behind the view: a top level object, or what a make_...() gave.
class View {
  public:
    View() = default;
    explicit View(Value value) : untyped_(value) {}
    [[nodiscard]] Value untyped() const { return untyped_; }
    // Whether there is such an object at all.
    [[nodiscard]] bool is_set() const { return untyped_.is_set(); }

  protected:
    Value untyped_;
};

// Between a Value and the C++ type of an element.
template <typename T>
T view_cast(Value value) {
    if constexpr (std::derived_from<T, View>)
        return T(value);
    else if constexpr (std::same_as<T, std::string_view>)
        return value.as_string();
    else if constexpr (std::same_as<T, bool>)
        return value.as_boolean();
    else if constexpr (std::integral<T>)
        return value.as_integer();
    else if constexpr (std::floating_point<T>)
        return value.as_real();
    else
        return T(value);
}

template <typename T>
Value to_value(Arena& arena, T element) {
    if constexpr (std::derived_from<T, View>)
        return element.untyped();
    else if constexpr (std::same_as<T, std::string_view>)
        return Value::string(arena, element);
    else if constexpr (std::same_as<T, bool>)
        return Value::boolean(element);
    else if constexpr (std::integral<T>)
        return Value::integer(element);
    else if constexpr (std::floating_point<T>)
        return Value::real(element);
    else
        return element.untyped();
}
inline Value to_value(Arena&, Value value) {
    return value;
}

template <typename T>
class ListView {
  public:
    class Iterator {
      public:
        using value_type = T;
        using difference_type = std::ptrdiff_t;
        Iterator() = default;
        explicit Iterator(Value* at) : at_(at) {}
        T operator*() const { return view_cast<T>(*at_); }
        Iterator& operator++() {
            ++at_;
            return *this;
        }
        Iterator operator++(int) { return Iterator(at_++); }
        bool operator==(const Iterator&) const = default;

      private:
        Value* at_ = nullptr;
    };

    ListView() = default;
    explicit ListView(Value list) : list_(list) {}
    [[nodiscard]] Value untyped() const { return list_; }
    [[nodiscard]] bool is_set() const { return list_.is_set(); }
    [[nodiscard]] std::size_t size() const { return list_.items().size(); }
    [[nodiscard]] bool empty() const { return size() == 0; }
    [[nodiscard]] T operator[](std::size_t index) const { return view_cast<T>(list_.at(index)); }
    [[nodiscard]] Iterator begin() const { return Iterator(list_.items().data()); }
    [[nodiscard]] Iterator end() const { return Iterator(list_.items().data() + size()); }

    void add(Arena& arena, T item) const { list_.push_back(arena, to_value(arena, item)); }
    // Appends an empty structure and gives it to be filled.
    T add(Arena& arena) const requires std::derived_from<T, View> {
        Value item = Value::map(arena);
        list_.push_back(arena, item);
        return T(item);
    }

  private:
    Value list_;
};

template <typename T>
class MapView {
  public:
    struct Entry {
        std::string_view name;
        T value;
    };
    class Iterator {
      public:
        using value_type = Entry;
        using difference_type = std::ptrdiff_t;
        Iterator() = default;
        explicit Iterator(Member* at) : at_(at) {}
        Entry operator*() const { return {at_->name, view_cast<T>(at_->value)}; }
        Iterator& operator++() {
            ++at_;
            return *this;
        }
        Iterator operator++(int) { return Iterator(at_++); }
        bool operator==(const Iterator&) const = default;

      private:
        Member* at_ = nullptr;
    };

    MapView() = default;
    explicit MapView(Value map) : map_(map) {}
    [[nodiscard]] Value untyped() const { return map_; }
    [[nodiscard]] bool is_set() const { return map_.is_set(); }
    [[nodiscard]] std::size_t size() const { return map_.members().size(); }
    [[nodiscard]] bool empty() const { return size() == 0; }
    [[nodiscard]] bool has(std::string_view name) const { return map_.has(name); }
    [[nodiscard]] T operator[](std::string_view name) const { return view_cast<T>(map_[name]); }
    [[nodiscard]] Iterator begin() const { return Iterator(map_.members().data()); }
    [[nodiscard]] Iterator end() const { return Iterator(map_.members().data() + size()); }

    // The name is copied.
    void set(Arena& arena, std::string_view name, T value) const {
        map_.set(arena, arena.copy(name), to_value(arena, value));
    }
    bool erase(std::string_view name) const { return map_.erase(name); }

  private:
    Value map_;
};

// The member, made an empty list first when it is unset.
inline Value child_list(Value map, Arena& arena, std::string_view name) {
    Value list = map[name];
    if (list.is_list()) return list;
    list = Value::list(arena);
    map.set(arena, name, list);
    return list;
}

}  // namespace keelson::object
