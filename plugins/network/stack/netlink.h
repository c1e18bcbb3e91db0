// Links, addresses and routes of one network namespace, by rtnetlink.
#ifndef KEELSON_STACK_NETLINK_H
#define KEELSON_STACK_NETLINK_H

#include <netlink/msg.h>
#include <netlink/netlink.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "stack/address.h"

namespace keelson::stack {

// A message under construction; attributes are appended.
class Message {
  public:
    Message(int type, int flags);

    template <typename Header>
    Header* header(const Header& value) {
        return static_cast<Header*>(append(&value, sizeof value));
    }
    void put(int type, const void* data, std::size_t size);
    void put(int type, std::uint32_t value) { put(type, &value, sizeof value); }
    void put(int type, std::uint8_t value) { put(type, &value, sizeof value); }
    void put(int type, const std::string& text) { put(type, text.c_str(), text.size() + 1); }
    void put(int type, const Address& address) { put(type, address.bytes.data(), address.size()); }
    // Attributes until the end of `fill` lie within this one.
    void nest(int type, const std::function<void()>& fill);
    [[nodiscard]] nl_msg* get() const { return message_.get(); }

  private:
    void* append(const void* data, std::size_t size);

    std::unique_ptr<nl_msg, void (*)(nl_msg*)> message_;
};

struct Link {
    int index = 0;
    std::string name;
    std::string alias;
    std::string kind;
    std::uint32_t mtu = 0;
    int master = 0;
    int peer = 0;  // of a veth: the other end's index in its own namespace
    bool is_up = false;
};

struct Route {
    Prefix destination;
    std::optional<Address> gateway;
    int link = 0;
    std::uint8_t type = 0;
    std::uint8_t protocol = 0;
};

// Used by one thread at a time. Failures throw with the system's reason.
class Netlink {
  public:
    // In the namespace of the calling thread; it stays there, whichever thread uses it. protocol: what of the
    // kernel it speaks with; all but change, try_change and ask are for NETLINK_ROUTE.
    explicit Netlink(int protocol = NETLINK_ROUTE);

    [[nodiscard]] nl_sock* socket() { return socket_.get(); }
    // Takes what lies in the socket off it, after an exchange that went wrong: it is no answer to the next
    // one.
    void forget_answers();
    // 0 or the error number.
    int try_change(Message& message);
    // `doing` is for the failure: "cannot <doing>: <reason>".
    void change(Message& message, const std::string& doing);
    // Hands each message of the answer to the handler.
    void ask(Message& message, const std::string& doing, const std::function<void(nlmsghdr*)>& handler);

    [[nodiscard]] std::optional<Link> find_link(const std::string& name);
    [[nodiscard]] std::optional<Link> find_link(int index);
    [[nodiscard]] std::vector<Link> links();
    // Nothing when there is no such link.
    void remove_link(const std::string& name);
    void set_up(int link);
    // Once for all: what is there already is left as it is.
    void add_address(int link, const Address& address, int prefix_length, std::uint32_t flags);
    void remove_address(int link, const Address& address, int prefix_length);
    // As they are, bits behind the length included; of one link or, without, of all.
    [[nodiscard]] std::vector<Prefix> addresses(std::optional<int> link = std::nullopt);

    void replace_route(const Route& route);
    void remove_route(const Route& route);
    // table: RT_TABLE_MAIN or RT_TABLE_LOCAL, of linux/rtnetlink.h.
    [[nodiscard]] std::vector<Route> routes(int family, std::uint32_t table = main_table);
    // How the kernel would reach it; none when it would not.
    [[nodiscard]] std::optional<Route> route_to(const Address& address);

  private:
    static constexpr std::uint32_t main_table = 254;  // RT_TABLE_MAIN
    using Handler = std::function<void(nlmsghdr*)>;
    int exchange(Message& message, const Handler& handler);
    std::optional<Link> get_link(Message& message);

    std::unique_ptr<nl_sock, void (*)(nl_sock*)> socket_;
};

}  // namespace keelson::stack

#endif
