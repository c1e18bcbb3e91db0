#include "kernel/node/streams.h"

namespace keelson::node {
namespace {

using base::Reason;
using base::Result;
using base::Status;
using base::Task;

class AgentStreams final : public NodeStreams {
  public:
    AgentStreams(NodeAgent& agent, Runtime& runtime, base::Executor& executor)
        : agent_(agent), runtime_(runtime), executor_(executor) {}

    Task<Result<std::shared_ptr<LogReader>>> logs(ContainerQuery query, bool previous,
                                                  LogOptions options) override {
        auto finding = agent_.find(query);
        KEELSON_CO_TRY(const ContainerView view, co_await finding);
        const std::string path = previous ? view.previous_log_path : view.log_path;
        if (path.empty())
            co_return Status(Reason::bad_request, "previous terminated container \"" + query.container +
                                                      "\" in pod \"" + query.pod + "\" not found");
        const bool follows = options.follow;
        base::Executor& here = co_await base::current_executor();
        auto opening = open_log(path, std::move(options), here);
        Result<std::shared_ptr<LogReader>> reader = co_await opening;
        if (!reader || !follows) co_return reader;
        if (previous || !view.is_running) {
            (*reader)->finish();
        } else {
            executor_.post([this, id = view.id, reader = *reader] {
                agent_.when_ended(id, [reader] { reader->finish(); });
            });
        }
        co_return reader;
    }

    Task<Result<Streams>> exec(ContainerQuery query, ExecRequest request,
                               std::string& container_id) override {
        auto finding = running(query);
        KEELSON_CO_TRY(const ContainerView view, co_await finding);
        container_id = view.id;
        request.container_id = view.id;
        auto executing = runtime_.exec(std::move(request));
        co_return co_await executing;
    }

    Task<Result<Streams>> attach(ContainerQuery query, bool standard_input, bool standard_output,
                                 bool standard_error, std::string& container_id,
                                 bool& has_terminal) override {
        auto finding = running(query);
        KEELSON_CO_TRY(const ContainerView view, co_await finding);
        container_id = view.id;
        has_terminal = view.has_terminal;
        auto attaching = runtime_.attach(view.id, standard_input && view.has_standard_input, standard_output,
                                         standard_error && !view.has_terminal);
        co_return co_await attaching;
    }

    Task<Result<void>> resize(std::string container_id, std::string exec_id, std::uint16_t columns,
                              std::uint16_t rows) override {
        return runtime_.resize(std::move(container_id), std::move(exec_id), columns, rows);
    }

    Task<Result<base::FileDescriptor>> port_forward(ContainerQuery query, std::uint16_t port) override {
        auto finding = agent_.find_sandbox(query);
        KEELSON_CO_TRY(const std::string sandbox, co_await finding);
        auto forwarding = runtime_.port_forward(sandbox, port);
        co_return co_await forwarding;
    }

  private:
    Task<Result<ContainerView>> running(ContainerQuery query) {
        auto finding = agent_.find(query);
        Result<ContainerView> view = co_await finding;
        if (view && !view->is_running)
            co_return Status(Reason::internal_error, "unable to upgrade connection: container not found (\"" +
                                                         query.container + "\")");
        co_return view;
    }

    NodeAgent& agent_;
    Runtime& runtime_;
    base::Executor& executor_;
};

}  // namespace

std::unique_ptr<NodeStreams> NodeStreams::make(NodeAgent& agent, Runtime& runtime, base::Executor& executor) {
    return std::make_unique<AgentStreams>(agent, runtime, executor);
}

}  // namespace keelson::node
