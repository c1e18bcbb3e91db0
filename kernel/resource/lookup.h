// Reading other objects while a verb is carried out, straight from the store.
#pragma once

#include <functional>
#include <string_view>

#include "kernel/base/result.h"
#include "kernel/object/value.h"
#include "kernel/store/store.h"

namespace keelson::resource {

class Lookup {
  public:
    explicit Lookup(const store::Store& store) : store_(store) {}

    // The stored object; absent when there is none.
    [[nodiscard]] base::Result<object::Value> get(std::string_view group, std::string_view resource,
                                                  std::string_view namespace_name, std::string_view name,
                                                  object::Arena& arena) const;
    // All objects of a resource, in one namespace or (empty) everywhere; version "v1" unless told.
    [[nodiscard]] base::Result<void> each(std::string_view group, std::string_view resource,
                                          std::string_view namespace_name, object::Arena& arena,
                                          const std::function<void(object::Value)>& visit) const;
    [[nodiscard]] const store::Store& store() const { return store_; }

  private:
    const store::Store& store_;
};

}  // namespace keelson::resource
