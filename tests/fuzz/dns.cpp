// Targets for what comes from the network to the DNS server: questions of clients, answers of other servers.
#include <arpa/inet.h>

#include "plugins/network/dns/answer.h"
#include "plugins/network/dns/cache.h"
#include "tests/fuzz/targets.h"

namespace keelson::fuzz {
namespace {

using namespace name_server;

const Zone& sample_zone() {
    static const Zone zone = [] {
        Zone made;
        const auto put = [&](const char* name, const char* type, std::vector<std::string> values) {
            made.put(read_record({name, type, 30, std::move(values)}));
        };
        put("a.svc.z", "A", {"10.0.0.1", "10.0.0.2"});
        put("_h._tcp.a.svc.z", "SRV", {"0 100 80 a.svc.z"});
        put("c.z", "CNAME", {"a.svc.z"});
        put("1.0.0.10.in-addr.arpa", "PTR", {"a.svc.z"});
        return made;
    }();
    return zone;
}

}  // namespace

void dns_query(std::string_view input) {
    static Authority authority("z", true, {std::string(4, '\1')});
    Query query;
    const Reading reading = read_query(input, query);
    if (reading == Reading::ignored) return;
    Reply reply;
    if (reading == Reading::fine && query.opcode() == 0)
        (void)authority.answer(sample_zone(), query, 1, reply);
    for (const std::size_t limit : {query.payload, maximum_message}) {
        std::string message;
        write_reply(query, reply, limit, message);
        FUZZ_CHECK(message.size() <= limit);
        FUZZ_CHECK(read_16(message.data()) == query.id);
        if (query.question.empty()) continue;
        // What is written can be read, as an answer to the question that was put.
        bool is_truncated = false;
        const auto answer = read_answer(message, query.id, query.name, query.type, is_truncated);
        FUZZ_CHECK(query.opcode() != 0 || answer != nullptr);
        if (answer != nullptr && !is_truncated && (reply.code == no_error || reply.code == name_error))
            FUZZ_CHECK(query.question_class != class_internet ||
                       answer->answers.size() == reply.answers.size());
    }
}

void dns_answer(std::string_view input) {
    const auto name = wire_name("www.example.org");
    bool is_truncated = false;
    const std::uint16_t id = input.size() < 2 ? 0 : read_16(input.data());
    const std::shared_ptr<const Answer> answer = read_answer(input, id, *name, type_a, is_truncated);
    if (answer == nullptr || is_truncated) return;
    Cache cache(1 << 16);
    cache.put(*name, type_a, answer, Cache::Seconds(1));
    FUZZ_CHECK(cache.bytes() <= 1 << 16);
    // What is passed on fits, whatever it is.
    Query query;
    query.question = *name + std::string("\0\1\0\1", 4);
    query.name = *name;
    Reply reply;
    for (const OwnedRecord& record : answer->answers)
        reply.answers.push_back({record.owner, record.type, record.ttl, record.data});
    std::string message;
    write_reply(query, reply, minimum_payload, message);
    FUZZ_CHECK(message.size() <= minimum_payload);
}

}  // namespace keelson::fuzz
