// A plugin that answers what a test tells it to, with the calls that it got.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kernel/plugin/plugin.h"

namespace keelson::testing {

class FakePlugin final : public plugin::Plugin {
  public:
    using Answer = base::Result<std::string>;
    // Request in, answer out.
    using Method = std::function<Answer(const std::string& request)>;

    explicit FakePlugin(std::string name) : name_(std::move(name)) {}

    void answers(std::string method, Method answer) { methods_[std::move(method)] = std::move(answer); }
    void answers(std::string method, std::string body) {
        answers(std::move(method), [body = std::move(body)](const std::string&) { return Answer(body); });
    }
    // Calls wait from now on until release().
    void hold() { gate_.emplace(); }
    void release() {
        const auto gate = std::exchange(gate_, std::nullopt);
        if (gate) gate->complete(true);
    }

    [[nodiscard]] const std::string& name() const override { return name_; }
    [[nodiscard]] plugin::Info info() const override { return {}; }
    [[nodiscard]] bool has(std::string_view, std::string_view method) const override {
        return method.empty() || methods_.contains(std::string(method));
    }
    base::Task<base::Result<plugin::Reply>> call(std::string_view capability, std::string_view method,
                                                 std::string request, plugin::CallOptions) override {
        requests.push_back(request);
        capabilities.emplace_back(capability);
        if (gate_) {
            const base::Completion<bool> gate = *gate_;
            co_await gate;
        }
        const auto found = methods_.find(std::string(method));
        if (found == methods_.end())
            co_return base::Status(base::Reason::method_not_allowed, "no such method");
        auto answer = found->second(request);
        if (!answer) co_return std::move(answer).error();
        plugin::Reply reply;
        reply.body = std::move(*answer);
        co_return reply;
    }

    std::vector<std::string> requests;
    std::vector<std::string> capabilities;

  private:
    std::string name_;
    std::map<std::string, Method> methods_;
    std::optional<base::Completion<bool>> gate_;  // one caller waits at most
};

}  // namespace keelson::testing
