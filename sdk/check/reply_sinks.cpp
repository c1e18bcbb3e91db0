#include "reply_sinks.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <map>
#include <mutex>
#include <new>
#include <thread>
#include <utility>

namespace keelson::check {
namespace {

constexpr std::size_t context_region_size = 64u << 20;
constexpr std::size_t reply_limit_bytes = 16u << 20;
constexpr std::size_t descriptor_limit = 16;

struct Reply {
    std::thread::id owner = std::this_thread::get_id();
    std::string body;
    std::vector<int> descriptors;
    bool wrote_on_other_thread = false;
};

struct Replies {
    std::mutex lock;
    std::map<std::uintptr_t, Reply> open;
    std::uintptr_t next_context = 0;
    int late_uses = 0;
};

// Never destroyed: a plugin's thread may write at any time.
Replies& replies() {
    static auto* all = new Replies;
    return *all;
}

std::uintptr_t reserve_contexts() {
    void* region =
        ::mmap(nullptr, context_region_size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (region == MAP_FAILED) throw std::bad_alloc();
    return reinterpret_cast<std::uintptr_t>(region);
}

// The open reply behind a context, or null, which is counted. The caller holds the lock.
Reply* open_reply(Replies& all, void* context) {
    const auto found = all.open.find(reinterpret_cast<std::uintptr_t>(context));
    if (found == all.open.end()) {
        ++all.late_uses;
        return nullptr;
    }
    Reply& reply = found->second;
    if (reply.owner != std::this_thread::get_id()) reply.wrote_on_other_thread = true;
    return &reply;
}

void write_reply(void* context, const char* data, std::size_t size) {
    Replies& all = replies();
    const std::lock_guard held(all.lock);
    Reply* reply = open_reply(all, context);
    if (reply != nullptr && size <= reply_limit_bytes - std::min(reply_limit_bytes, reply->body.size())) {
        reply->body.append(data, size);
    }
}

std::int32_t pass_descriptor(void* context, int descriptor) {
    Replies& all = replies();
    const std::lock_guard held(all.lock);
    Reply* reply = open_reply(all, context);
    if (reply == nullptr || reply->descriptors.size() >= descriptor_limit) return KEELSON_EXHAUSTED;
    const int copy = ::fcntl(descriptor, F_DUPFD_CLOEXEC, 3);
    if (copy < 0) return KEELSON_EXHAUSTED;
    reply->descriptors.push_back(copy);
    return KEELSON_OK;
}

}  // namespace

ReplySink::ReplySink() {
    Replies& all = replies();
    const std::lock_guard held(all.lock);
    static const std::uintptr_t contexts = reserve_contexts();
    // Contexts are used once, so that a late write is told from one to the next reply.
    const std::uintptr_t context = contexts + all.next_context;
    all.next_context = (all.next_context + 16) % context_region_size;
    all.open.try_emplace(context);
    context_ = reinterpret_cast<void*>(context);
}

ReplySink::~ReplySink() {
    Answer unused;
    close(unused);
    unused.close_descriptors();
}

keelson_reply ReplySink::table() const {
    return {sizeof(keelson_reply), context_, write_reply, pass_descriptor};
}

void ReplySink::close(Answer& answer) {
    Replies& all = replies();
    const std::lock_guard held(all.lock);
    const auto found = all.open.find(reinterpret_cast<std::uintptr_t>(context_));
    if (found == all.open.end()) return;
    answer.body = std::move(found->second.body);
    answer.descriptors = std::move(found->second.descriptors);
    answer.wrote_on_other_thread = found->second.wrote_on_other_thread;
    all.open.erase(found);
}

int late_reply_uses() {
    Replies& all = replies();
    const std::lock_guard held(all.lock);
    return all.late_uses;
}

}  // namespace keelson::check
