// Service addresses by the kernel's packet filter: chains in the legacy nat and filter tables, written
// without the iptables programs. They go on carrying traffic when the plugin stops.
#include <mutex>
#include <string>

#include "stack/rivals.h"
#include "stack/rule_proxy.h"

namespace {

using namespace keelson::stack;
using keelson::Code;
using keelson::Error;

struct Config {
    std::int32_t mark_bit = 14;
    KEELSON_FIELDS(field.optional("markBit", self.mark_bit))
};

std::uint32_t read_mark(const keelson::Json& document) {
    const auto config = keelson::read_as<Config>(document);
    if (config.mark_bit < 0 || config.mark_bit > 31)
        throw Error(Code::invalid, "a bit of the mark lies between 0 and 31", "markBit");
    return std::uint32_t(1) << config.mark_bit;
}

class Iptables : public RuleProxy {
  public:
    Iptables(keelson::Host host, const keelson::Json& config)
        : RuleProxy(host, read_mark(config), "KEELSON-") {}

    keelson::Health health() {
        const std::lock_guard<std::mutex> lock(mutex_);
        return {true, rivals_};
    }

  private:
    void on_configure(const Surroundings& /*surroundings*/) override { look_for_rivals(); }
    void on_full(const keelson::proxy::Apply& /*change*/) override { look_for_rivals(); }

    void look_for_rivals() {
        std::string rivals = find_rivals();
        if (!rivals.empty() && rivals != rivals_) host_.warn(rivals);
        rivals_ = std::move(rivals);
    }

    std::string rivals_;
};

}  // namespace

KEELSON_PLUGIN(Iptables, "dev.keelson.iptables", "0.1.0")
