// Random identifiers. The source of randomness is an argument so that the simulation can replay a run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <random>
#include <string>

namespace keelson::base {

// Thread-safe.
class RandomSource {
  public:
    virtual ~RandomSource() = default;
    virtual void fill(void* buffer, std::size_t size) = 0;
    std::uint64_t next() {
        std::uint64_t value = 0;
        fill(&value, sizeof value);
        return value;
    }
    // Uniform in [0, bound), bound > 0.
    std::uint64_t below(std::uint64_t bound);
};

// getrandom(2): fit for keys and tokens. Lives for the whole process.
RandomSource& system_random();

// The same sequence for the same seed. Never for secrets.
class SeededRandom final : public RandomSource {
  public:
    explicit SeededRandom(std::uint64_t seed) : engine_(seed) {}
    void fill(void* buffer, std::size_t size) override;

  private:
    std::mutex mutex_;
    std::mt19937_64 engine_;
};

// "xxxxxxxx-xxxx-4xxx-yxxx-xxxxxxxxxxxx" (RFC 4122, version 4).
[[nodiscard]] std::string make_uuid(RandomSource& random = system_random());
// What generateName and pod names end in: letters and digits that do not spell words
// (k8s.io/apimachinery/pkg/util/rand), five of them by default.
[[nodiscard]] std::string make_random_suffix(std::size_t length = 5, RandomSource& random = system_random());

}  // namespace keelson::base
