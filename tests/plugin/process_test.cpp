// keelson-plugin-host by itself, and what the kernel does with a process that does not keep to the protocol.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "kernel/base/executor_real.h"
#include "kernel/plugin/remote_objects.h"
#include "sdk/host_protocol/launch.h"

namespace keelson::plugin {
namespace {

using nlohmann::json;
using testing::HasSubstr;

// One process around the probe, spoken to without a kernel.
class ProcessTest : public ::testing::Test {
  protected:
    ProcessTest() {
        std::string text = std::string(PROBE_DIRECTORY) + "/process-XXXXXX";
        root_ = ::mkdtemp(text.data());
        command_.program = HOST_PROGRAM;
        command_.name = "probe";
        command_.library = std::string(PROBE_DIRECTORY) + "/one/probe.so";
        command_.id = "com.example.probe";
        command_.version = "1.0.0";
        command_.state_directory = root_;
        command_.dies_with_parent = true;
    }
    ~ProcessTest() override {
        if (process_ > 0) {
            ::kill(process_, SIGKILL);
            ::waitpid(process_, nullptr, 0);
        }
        std::filesystem::remove_all(root_);
    }

    Hello launch() {
        const auto listener = host_protocol::listen_at(root_, "probe.sock");
        EXPECT_TRUE(listener);
        const auto process = host_protocol::spawn_host(command_, listener->get());
        EXPECT_TRUE(process) << process.error().text;
        process_ = *process;
        return greet();
    }
    Hello greet() {
        auto connected = host_protocol::connect_to(root_, "probe.sock");
        EXPECT_TRUE(connected) << connected.error().text;
        socket_ = std::make_unique<FrameSocket>(std::move(*connected));
        const auto hello = host_protocol::receive_hello(*socket_);
        EXPECT_TRUE(hello) << hello.error().text;
        return hello ? *hello : Hello();
    }
    Frame ask(MethodId method, const std::string& request) {
        Frame frame;
        frame.type = FrameType::call;
        frame.id = ++next_id_;
        frame.capability = method.capability;
        frame.method = method.method;
        frame.body = request;
        EXPECT_TRUE(socket_->write(frame));
        while (true) {
            auto reply = socket_->read();
            if (!reply) return {};
            if (reply->type == FrameType::reply) return std::move(*reply);
        }
    }
    static MethodId stats() { return *find_method("keelson.volume/0", "stats"); }

    std::string root_;
    host_protocol::HostCommand command_;
    pid_t process_ = 0;
    std::unique_ptr<FrameSocket> socket_;
    std::uint64_t next_id_ = 0;
};

TEST_F(ProcessTest, IntroducesItselfAndServes) {
    const Hello hello = launch();
    EXPECT_EQ(hello.failure, "");
    EXPECT_EQ(hello.process_id, process_);
    EXPECT_EQ(hello.id, "com.example.probe");
    EXPECT_FALSE(hello.started);
    const auto methods = MethodSet::decode(hello.methods);
    ASSERT_TRUE(methods);
    EXPECT_TRUE(methods->has(stats()));
    EXPECT_EQ(ask(kStart, R"({"size":3})").code, 0);
    EXPECT_EQ(ask(stats(), R"({"hello":1})").body, R"({"hello":1})");
    const Hello again = greet();
    EXPECT_TRUE(again.started);
    EXPECT_EQ(again.config, R"({"size":3})");
}

TEST_F(ProcessTest, ThatCannotBeConfinedSaysWhyAndLoadsNothing) {
    command_.cgroups = {root_ + "/no-such-cgroup"};
    const Hello hello = launch();
    EXPECT_THAT(hello.failure, HasSubstr("its process cannot be confined"));
    EXPECT_THAT(hello.failure, HasSubstr(root_ + "/no-such-cgroup"));
    const auto methods = MethodSet::decode(hello.methods);
    EXPECT_TRUE(!methods || methods->capability_ids().empty());
    EXPECT_NE(ask(stats(), "{}").code, 0);
}

TEST_F(ProcessTest, ChecksDocumentsOnItsOwnSide) {
    command_.checks_documents = true;
    launch();
    ASSERT_EQ(ask(kStart, "{}").code, 0);
    const Frame request = ask(stats(), R"({"volumeId":7})");
    EXPECT_EQ(request.code, 1);
    EXPECT_THAT(request.body, HasSubstr("the request is not what sdk/schema/volume.json says"));
    const Frame reply = ask(stats(), R"({"volumeId":"a","path":"/a"})");
    EXPECT_EQ(reply.code, 1);
    EXPECT_THAT(reply.body, HasSubstr("its reply is not what sdk/schema/volume.json says"));
}

TEST_F(ProcessTest, SaysThatAnExceptionCameOut) {
    launch();
    ASSERT_EQ(ask(kStart, "{}").code, 0);
    EXPECT_EQ(json::parse(ask(stats(), R"({"do":"throw"})").body)["message"], host_protocol::kThrown);
}

// Answers when it is told to.
class SlowService final : public ObjectsService {
  public:
    std::uint64_t ask(ObjectsRequest, Done done) override {
        const std::lock_guard lock(mutex_);
        waiting_.push_back(std::move(done));
        return waiting_.size();
    }
    void cancel(std::uint64_t) override { ++cancelled; }
    std::size_t asked() {
        const std::lock_guard lock(mutex_);
        return waiting_.size();
    }
    void answer_all() {
        std::vector<Done> waiting;
        {
            const std::lock_guard lock(mutex_);
            waiting = waiting_;
        }
        for (const Done& done : waiting) done({0, "{}", {}});
    }
    std::atomic<int> cancelled{0};

  private:
    std::mutex mutex_;
    std::vector<Done> waiting_;
};

class BrokenProcessTest : public ::testing::Test {
  protected:
    BrokenProcessTest() {
        int ends[2];
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
        plugin_ = std::make_unique<FrameSocket>(Descriptor(ends[0]));
        kernel_ = std::make_shared<FrameSocket>(Descriptor(ends[1]));
        objects_ = std::make_shared<RemoteObjects>(service_, kernel_, *executor_);
    }
    ~BrokenProcessTest() override {
        kernel_->shut_down();
        executor_->stop();
    }
    void call(std::uint64_t id, std::uint16_t method = 0) {
        Frame frame;
        frame.type = FrameType::objects_call;
        frame.id = id;
        frame.method = method;
        objects_->take_call(std::move(frame));
    }
    Frame reply() {
        auto frame = plugin_->read();
        EXPECT_TRUE(frame) << frame.error().text;
        return frame ? std::move(*frame) : Frame();
    }
    void wait_until_asked(std::size_t count) {
        for (int i = 0; i < 5000 && service_->asked() < count; ++i)
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        EXPECT_EQ(service_->asked(), count);
    }

    std::unique_ptr<base::ThreadExecutor> executor_ = base::make_thread_executor(2, 4);
    std::shared_ptr<SlowService> service_ = std::make_shared<SlowService>();
    std::unique_ptr<FrameSocket> plugin_;
    std::shared_ptr<FrameSocket> kernel_;
    std::shared_ptr<RemoteObjects> objects_;
};

TEST_F(BrokenProcessTest, AMethodThatDoesNotExistIsRefused) {
    call(1, 77);
    EXPECT_EQ(reply().code, 9);
    EXPECT_EQ(service_->asked(), 0u);
}

TEST_F(BrokenProcessTest, ANumberThatIsInUseIsRefused) {
    call(5);
    wait_until_asked(1);
    call(5);
    EXPECT_EQ(reply().code, 10);
    service_->answer_all();
    EXPECT_EQ(reply().code, 0);
    EXPECT_EQ(service_->asked(), 1u);
}

TEST_F(BrokenProcessTest, AFloodOfCallsIsRefusedBeyondABound) {
    for (std::uint64_t id = 1; id <= 100; ++id) call(id);
    for (int i = 0; i < 36; ++i) EXPECT_EQ(reply().code, 10);
    wait_until_asked(64);
    service_->answer_all();
    for (int i = 0; i < 64; ++i) EXPECT_EQ(reply().code, 0);
}

TEST_F(BrokenProcessTest, CancellingWhatWasNeverAskedDoesNothing) {
    objects_->take_cancel(99);
    EXPECT_EQ(service_->cancelled, 0);
    call(1);
    wait_until_asked(1);
    for (int i = 0; i < 5000 && service_->cancelled == 0; ++i) objects_->take_cancel(1);
    EXPECT_GE(service_->cancelled, 1);
    service_->answer_all();
    EXPECT_EQ(reply().id, 1u);
}

TEST_F(BrokenProcessTest, WhatAProcessThatHasGoneAskedIsCancelled) {
    call(1);
    call(2);
    wait_until_asked(2);
    for (int i = 0; i < 5000 && service_->cancelled < 2; ++i) {
        objects_->end();
        std::this_thread::yield();
    }
    EXPECT_GE(service_->cancelled, 2);
    service_->answer_all();
}

}  // namespace
}  // namespace keelson::plugin
