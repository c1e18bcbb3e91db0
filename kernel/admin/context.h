// What all routes share.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>

#include "kernel/admin/admin.h"
#include "kernel/admin/exchange.h"
#include "kernel/admin/gate.h"

namespace keelson::admin {

struct Context {
    explicit Context(AdminParts given) : parts(std::move(given)) {}

    AdminParts parts;
    std::shared_ptr<Gate> gate = std::make_shared<Gate>();
    std::string work_directory;  // <data directory>/admin
    std::mutex transfer;         // one snapshot, restore or upload at a time
    std::atomic<int> traces = 0;

    // The result of another room's task, or why there is none.
    template <typename T>
    tl::expected<T, Problem> wait(base::Task<base::Result<T>> task) {
        auto result = Gate::wait(gate, parts.executor, std::move(task));
        if (!result)
            return refuse(503,
                          "the server stops while the operation is under way: it goes on by itself; look at "
                          "its outcome once the server is back");
        if (!*result) return refuse(Problem(result->error()));
        if constexpr (std::is_void_v<T>)
            return {};
        else
            return std::move(**result);
    }
};

}  // namespace keelson::admin
