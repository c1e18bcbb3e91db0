// What the plugins' netlink does when the kernel has more to say than the socket holds.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <memory>
#include <string>

#include "keelson/error.hpp"
#include "stack/netlink.h"
#include "stack/netlink_batch.h"
#include "tests/plugins/network/links.h"

namespace keelson::stack {
namespace {

using ::testing::HasSubstr;

class NetlinkTest : public ::testing::Test {
  protected:
    void SetUp() override {
        const std::string reason = testing::why_no_namespaces();
        if (!reason.empty()) GTEST_SKIP() << reason;
        space_ = std::make_unique<testing::NetworkNamespace>();
        testing::add_bridge(*space_, "br0");
        space_->run([&] { netlink_ = std::make_unique<Netlink>(); });
        index_ = netlink_->find_link("br0")->index;
        own_addresses_ = netlink_->addresses(index_).size();
    }
    [[nodiscard]] std::size_t added_addresses() const {
        return netlink_->addresses(index_).size() - own_addresses_;
    }
    // Holds few answers, though each by itself.
    void make_socket_small() {
        const int bytes = 8192;
        ASSERT_EQ(
            ::setsockopt(nl_socket_get_fd(netlink_->socket()), SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes),
            0);
    }
    Message address_message(int type, int number) const {
        Message message(type, type == RTM_NEWADDR ? NLM_F_CREATE | NLM_F_EXCL : 0);
        ifaddrmsg info{};
        info.ifa_family = AF_INET;
        info.ifa_prefixlen = 32;
        info.ifa_index = std::uint32_t(index_);
        message.header(info);
        message.put(IFA_LOCAL, *parse_address("10.9.0." + std::to_string(number)));
        return message;
    }
    void add_to(Batch& batch, int type, int count) const {
        for (int number = 1; number <= count; ++number) {
            Message message = address_message(type, number);
            batch.add(message, "change an address");
        }
    }
    static std::string problem_of(Batch& batch) {
        try {
            batch.flush();
        } catch (const Error& error) {
            return error.what();
        }
        return {};
    }

    std::unique_ptr<testing::NetworkNamespace> space_;
    std::unique_ptr<Netlink> netlink_;
    int index_ = 0;
    std::size_t own_addresses_ = 0;
};

TEST_F(NetlinkTest, ManyFailuresOfABatchAreReadToTheEnd) {
    Batch batch(*netlink_);
    add_to(batch, RTM_DELADDR, 100);
    EXPECT_THAT(problem_of(batch), HasSubstr("cannot change an address: Cannot assign requested address"));
    add_to(batch, RTM_NEWADDR, 100);
    EXPECT_EQ(problem_of(batch), "");
    EXPECT_EQ(added_addresses(), 100U);
}

TEST_F(NetlinkTest, AnswersThatDoNotFitAreAFailureOfThatBatchOnly) {
    make_socket_small();
    Batch batch(*netlink_);
    add_to(batch, RTM_DELADDR, 100);
    EXPECT_THAT(problem_of(batch), HasSubstr("cannot read netlink answers: No buffer space available"));
    // Nothing of it is taken for an answer to what follows, by whichever way it is asked.
    EXPECT_EQ(netlink_->find_link("br0")->index, index_);
    add_to(batch, RTM_NEWADDR, 100);
    EXPECT_EQ(problem_of(batch), "");
    EXPECT_EQ(added_addresses(), 100U);
}

TEST_F(NetlinkTest, ALongListComesWholeThroughASmallSocket) {
    Batch batch(*netlink_);
    add_to(batch, RTM_NEWADDR, 250);
    EXPECT_EQ(problem_of(batch), "");
    make_socket_small();
    EXPECT_EQ(added_addresses(), 250U);
}

TEST_F(NetlinkTest, WhatWasNeverAskedForIsForgotten) {
    make_socket_small();
    const int socket = nl_socket_get_fd(netlink_->socket());
    // Questions whose answers nobody reads: the socket runs over.
    for (int count = 0; count < 20; ++count) {
        Message message(RTM_GETLINK, 0);
        ifinfomsg info{};
        info.ifi_index = index_;
        message.header(info);
        nlmsghdr* header = nlmsg_hdr(message.get());
        ASSERT_EQ(::send(socket, header, header->nlmsg_len, 0), ssize_t(header->nlmsg_len));
    }
    EXPECT_THROW((void)netlink_->find_link("br0"), Error);
    EXPECT_EQ(netlink_->find_link("br0")->index, index_);
}

}  // namespace
}  // namespace keelson::stack
