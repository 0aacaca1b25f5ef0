// A cluster of Kafka brokers for the system tests: librdkafka's own, in a process of its own, so that it can be stopped and lied to.
// usage: kafka_cluster BROKERS     The first line out is where it listens (HOST:PORT,…); then each line in is a command, answered by
// "ok" or what is wrong:
//   down ID | up ID                  ends all its connections and takes no more; takes them again (-1: all)
//   rtt ID MS                        how late it answers
//   errors API CODE COUNT            the next COUNT requests of this kind (0: produce, 3: metadata, 22: producer id) fail with Kafka's CODE
//                                    (-195: the connection ends)
//   topic NAME PARTITIONS            makes one
//   leader NAME PARTITION ID         who leads (-1: nobody)
//   topic_error NAME CODE            what questions for this topic are answered (0: as usual)
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include <librdkafka/rdkafka.h>
// Wants the other one first.
#include <librdkafka/rdkafka_mock.h>

namespace {

struct End {
    void operator()(rd_kafka_t* client) const { rd_kafka_destroy(client); }
    void operator()(rd_kafka_mock_cluster_t* cluster) const { rd_kafka_mock_cluster_destroy(cluster); }
};
using Cluster = std::unique_ptr<rd_kafka_mock_cluster_t, End>;

std::string answer(rd_kafka_resp_err_t error) { return error == RD_KAFKA_RESP_ERR_NO_ERROR ? "ok" : rd_kafka_err2str(error); }

std::string obey(rd_kafka_mock_cluster_t* cluster, const std::string& line) {
    std::istringstream words(line);
    std::string what;
    std::string name;
    std::int32_t id = 0;
    int number = 0;
    words >> what;
    if (what == "down" && words >> id) return answer(rd_kafka_mock_broker_set_down(cluster, id));
    if (what == "up" && words >> id) return answer(rd_kafka_mock_broker_set_up(cluster, id));
    if (what == "rtt" && words >> id >> number) return answer(rd_kafka_mock_broker_set_rtt(cluster, id, number));
    if (what == "topic" && words >> name >> number) return answer(rd_kafka_mock_topic_create(cluster, name.c_str(), number, 1));
    if (what == "leader" && words >> name >> number >> id)
        return answer(rd_kafka_mock_partition_set_leader(cluster, name.c_str(), number, id));
    if (what == "topic_error" && words >> name >> number) {
        rd_kafka_mock_topic_set_error(cluster, name.c_str(), static_cast<rd_kafka_resp_err_t>(number));
        return "ok";
    }
    std::int16_t api = 0;
    std::size_t count = 0;
    if (what == "errors" && words >> api >> number >> count) {
        const std::vector<rd_kafka_resp_err_t> errors(count, static_cast<rd_kafka_resp_err_t>(number));
        rd_kafka_mock_push_request_errors_array(cluster, api, errors.size(), errors.data());
        return "ok";
    }
    return "what is `" + line + "`?";
}

}  // namespace

int main(int argc, char** argv) {
    const int brokers = argc == 2 ? std::atoi(argv[1]) : 0;
    if (brokers < 1) {
        std::cerr << "usage: kafka_cluster BROKERS\n";
        return 2;
    }
    std::vector<char> words(512);
    const std::unique_ptr<rd_kafka_t, End> owner(rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), words.data(), words.size()));
    if (!owner) {
        std::cerr << words.data() << '\n';
        return 1;
    }
    const Cluster cluster(rd_kafka_mock_cluster_new(owner.get(), brokers));
    if (!cluster) {
        std::cerr << "no cluster\n";
        return 1;
    }
    std::cout << rd_kafka_mock_cluster_bootstraps(cluster.get()) << std::endl;
    for (std::string line; std::getline(std::cin, line);) std::cout << obey(cluster.get(), line) << std::endl;
    return 0;
}
