// From a request to its answer: who asks, which route, is the request in order, do it, write it down.
#pragma once

#include "kernel/admin/context.h"
#include "kernel/admin/exchange.h"

namespace keelson::admin {

// Any thread. Never throws; every failure is an answer.
[[nodiscard]] Answer serve(Context& context, Request& request);
[[nodiscard]] Answer answer_problem(const Problem& problem, std::string_view instance);

}  // namespace keelson::admin
