#include "tests/sim/faulty_client.h"

#include <utility>

namespace keelson::sim {

using base::Reason;
using base::Result;
using base::Status;
using base::Task;
using client::Address;
using client::WatchEvent;
using object::Value;

struct FaultyClient::OpenWatch {
    client::Watch* real = nullptr;  // null when it is closed
    bool is_dropped = false;
    bool is_expired = false;

    void drop() {
        is_dropped = true;
        if (real) real->stop();
    }
};

namespace {

class FaultyWatch final : public client::Watch {
  public:
    FaultyWatch(std::unique_ptr<client::Watch> real, std::shared_ptr<FaultyClient::OpenWatch> open,
                Faults& faults)
        : real_(std::move(real)), open_(std::move(open)), faults_(faults) {
        open_->real = real_.get();
    }
    ~FaultyWatch() override { open_->real = nullptr; }

    Task<Result<std::vector<WatchEvent>>> next() override {
        auto waiting = real_->next();
        Result<std::vector<WatchEvent>> events = co_await waiting;
        if (events && !events->empty() && faults_.strikes(faults_.rates.watch_lags))
            co_await base::sleep_for(faults_.delay());
        if (open_->is_expired) co_return Status(Reason::expired, "simulated: too old resource version");
        if (open_->is_dropped) co_return std::vector<WatchEvent>();
        co_return events;
    }
    void stop() override { real_->stop(); }

  private:
    std::unique_ptr<client::Watch> real_;
    std::shared_ptr<FaultyClient::OpenWatch> open_;
    Faults& faults_;
};

std::string text_of(const Address& address) {
    return address.resource + " " + address.namespace_name + "/" + address.name +
           (address.subresource.empty() ? "" : "/" + address.subresource);
}

Status unreachable() {
    return {Reason::service_unavailable, "simulated: the caller is cut off"};
}

}  // namespace

FaultyClient::FaultyClient(std::string who, client::Client& real, base::Executor& executor, Faults& faults)
    : who_(std::move(who)), real_(real), executor_(executor), faults_(faults) {}
FaultyClient::~FaultyClient() = default;

void FaultyClient::cut() {
    is_cut_ = true;
    for (const auto& weak : watches_)
        if (const auto open = weak.lock()) open->drop();
}

Task<Result<void>> FaultyClient::go(Address address, Kind kind) {
    if (is_cut_) co_return unreachable();
    if (faults_.strikes(faults_.rates.slow)) co_await base::sleep_for(faults_.delay());
    // What a dead process has sent may still arrive.
    if (is_cut_ && !(kind != Kind::read && faults_.strikes(0.5))) co_return unreachable();
    if (!faults_.strikes(faults_.rates.fails_before)) co_return base::ok();
    faults_.diary.note(who_ + " is refused: " + text_of(address));
    // What is created conflicts with nothing but its like.
    switch (faults_.dice.between(0, kind == Kind::change ? 3 : 2)) {
        case 0:
            co_return Status(Reason::too_many_requests, "simulated: too many requests");
        case 1:
            co_return Status(Reason::internal_error, "simulated: internal error");
        case 2:
            co_return Status(Reason::timeout, "simulated: timed out before");
        default:
            co_return Status(Reason::conflict, "simulated: conflict");
    }
}

Task<client::Client::Object> FaultyClient::come_back(Address address, Value sent, Object answer) {
    if (faults_.strikes(faults_.rates.slow)) co_await base::sleep_for(faults_.delay());
    if (!is_cut_ && !faults_.strikes(faults_.rates.fails_after)) co_return answer;
    if (answer) {
        faults_.diary.note(who_ + " is not told of its write: " + text_of(address));
        if (faults_.on_unknown_outcome) faults_.on_unknown_outcome(address, sent);
    }
    if (is_cut_) co_return unreachable();
    if (faults_.dice.chance(0.5)) co_return Status(Reason::internal_error, "simulated: failed after");
    co_return Status(Reason::timeout, "simulated: timed out after");
}

Task<client::Client::Object> FaultyClient::get(Address address) {
    auto going = go(address, Kind::read);
    KEELSON_CO_TRY_VOID(co_await going);
    auto getting = real_.get(address);
    Object answer = co_await getting;
    if (faults_.strikes(faults_.rates.slow)) co_await base::sleep_for(faults_.delay());
    if (is_cut_) co_return unreachable();
    co_return answer;
}

Task<Result<client::Page>> FaultyClient::list(Address address, client::ListOptions options) {
    auto going = go(address, Kind::read);
    KEELSON_CO_TRY_VOID(co_await going);
    auto listing = real_.list(address, std::move(options));
    Result<client::Page> page = co_await listing;
    if (faults_.strikes(faults_.rates.slow)) co_await base::sleep_for(faults_.delay());
    if (is_cut_) co_return unreachable();
    co_return page;
}

Task<Result<std::unique_ptr<client::Watch>>> FaultyClient::watch(Address address,
                                                                 client::ListOptions options) {
    auto going = go(address, Kind::read);
    KEELSON_CO_TRY_VOID(co_await going);
    auto opening = real_.watch(address, std::move(options));
    Result<std::unique_ptr<client::Watch>> opened = co_await opening;
    if (!opened) co_return std::move(opened).error();
    if (is_cut_) co_return unreachable();
    const auto open = std::make_shared<OpenWatch>();
    std::unique_ptr<client::Watch> watch = std::make_unique<FaultyWatch>(std::move(*opened), open, faults_);
    std::erase_if(watches_, [](const std::weak_ptr<OpenWatch>& weak) { return weak.expired(); });
    watches_.push_back(open);
    if (faults_.strikes(faults_.rates.watch_ends)) end_after_a_while(open);
    co_return watch;
}

void FaultyClient::end_after_a_while(const std::shared_ptr<OpenWatch>& open) {
    const base::Duration life = faults_.dice.milliseconds(100, 60'000);
    const bool expires = faults_.dice.chance(faults_.rates.watch_expires);
    executor_.post_after(life, [weak = std::weak_ptr<OpenWatch>(open), expires] {
        const auto alive = weak.lock();
        if (!alive) return;
        alive->is_expired = expires;
        alive->drop();
    });
}

Task<client::Client::Object> FaultyClient::create(Address address, Value object,
                                                  client::WriteOptions options) {
    auto going = go(address, Kind::create);
    KEELSON_CO_TRY_VOID(co_await going);
    auto creating = real_.create(address, object, std::move(options));
    Object created = co_await creating;
    auto coming_back = come_back(address, object, std::move(created));
    co_return co_await coming_back;
}

Task<client::Client::Object> FaultyClient::update(Address address, Value object,
                                                  client::WriteOptions options) {
    auto going = go(address, Kind::change);
    KEELSON_CO_TRY_VOID(co_await going);
    auto updating = real_.update(address, object, std::move(options));
    Object updated = co_await updating;
    auto coming_back = come_back(address, object, std::move(updated));
    co_return co_await coming_back;
}

Task<client::Client::Object> FaultyClient::patch(Address address, client::PatchType type, Value patch,
                                                 client::WriteOptions options) {
    auto going = go(address, Kind::change);
    KEELSON_CO_TRY_VOID(co_await going);
    auto patching = real_.patch(address, type, patch, std::move(options));
    Object patched = co_await patching;
    auto coming_back = come_back(address, patch, std::move(patched));
    co_return co_await coming_back;
}

Task<client::Client::Object> FaultyClient::remove(Address address, client::DeleteOptions options) {
    auto going = go(address, Kind::change);
    KEELSON_CO_TRY_VOID(co_await going);
    auto removing = real_.remove(address, std::move(options));
    Object removed = co_await removing;
    auto coming_back = come_back(address, Value(), std::move(removed));
    co_return co_await coming_back;
}

}  // namespace keelson::sim
