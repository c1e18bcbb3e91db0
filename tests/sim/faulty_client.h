// The way between a part of the control plane and the API, as bad as the seed wants it: answers that are
// late, refusals, failures before and after a write took effect, watches that lag, end or expire.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "kernel/base/executor.h"
#include "kernel/client/client.h"
#include "tests/sim/diary.h"
#include "tests/sim/dice.h"

namespace keelson::sim {

struct FaultRates {
    double slow = 0;           // of the calls wait on their way there, and as many on the way back
    double fails_before = 0;   // of the calls come to nothing
    double fails_after = 0;    // of the writes happen, but the writer is told otherwise
    double watch_lags = 0;     // of the batches of a watch come late
    double watch_ends = 0;     // of the watches end after a while
    double watch_expires = 0;  // of those by "list again"
    base::Duration longest_delay{};
};

// Shared by all ways.
struct Faults {
    Faults(Dice& from, Diary& into) : dice(from), diary(into) {}

    Dice& dice;
    Diary& diary;
    FaultRates rates;
    bool is_on = false;
    // Told of every write whose writer cannot know that it happened.
    std::function<void(const client::Address&, object::Value)> on_unknown_outcome;

    [[nodiscard]] bool strikes(double rate) { return is_on && rate > 0 && dice.chance(rate); }
    [[nodiscard]] base::Duration delay() {
        const auto longest_ms =
            std::chrono::duration_cast<std::chrono::milliseconds>(rates.longest_delay).count();
        // Mostly short.
        return dice.milliseconds(1, dice.chance(0.8) ? longest_ms / 10 + 1 : longest_ms + 1);
    }
};

class FaultyClient final : public client::Client {
  public:
    // All must outlive the client and the tasks that it gave.
    FaultyClient(std::string who, client::Client& real, base::Executor& executor, Faults& faults);
    ~FaultyClient() override;

    // From now on nothing comes through: the part that uses it is dead to the others. A call that is on its
    // way may still arrive.
    void cut();

    base::Task<Object> get(client::Address address) override;
    base::Task<base::Result<client::Page>> list(client::Address address,
                                                client::ListOptions options) override;
    base::Task<base::Result<std::unique_ptr<client::Watch>>> watch(client::Address address,
                                                                   client::ListOptions options) override;
    base::Task<Object> create(client::Address address, object::Value object,
                              client::WriteOptions options) override;
    base::Task<Object> update(client::Address address, object::Value object,
                              client::WriteOptions options) override;
    base::Task<Object> patch(client::Address address, client::PatchType type, object::Value patch,
                             client::WriteOptions options) override;
    base::Task<Object> remove(client::Address address, client::DeleteOptions options) override;

    // The part of a watch that a timer may reach.
    struct OpenWatch;

  private:
    enum class Kind : std::uint8_t { read, create, change };
    base::Task<base::Result<void>> go(client::Address address, Kind kind);
    base::Task<Object> come_back(client::Address address, object::Value sent, Object answer);
    void end_after_a_while(const std::shared_ptr<OpenWatch>& open);

    std::string who_;
    client::Client& real_;
    base::Executor& executor_;
    Faults& faults_;
    bool is_cut_ = false;
    std::vector<std::weak_ptr<OpenWatch>> watches_;
};

}  // namespace keelson::sim
