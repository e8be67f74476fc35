// Traffic that is made while an experiment runs.
#pragma once

#include "injector/core/units.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace arashi::spec {

struct Where {
  int line = 0, column = 0;
};  // 1-based, in the spec file

// When requests start. Without stages or a record: at the load's rate.
struct Arrivals {
  struct Stage {
    Rate to;
    Duration over{};  // linearly from the rate before; 0: at once
  };
  bool poisson = false;          // at random with that rate, instead of evenly
  std::vector<Stage> stages;     // after the last one its rate goes on
  std::vector<Duration> record;  // or at these times after the load's start, in order; the first is 0
  Duration period{};             // the record starts again after this long; 0: it ends
};

enum class Http {
  one,          // HTTP/1.1
  two,          // HTTP/2, agreed on in the TLS handshake
  two_in_clear  // HTTP/2 without TLS: the server is known to speak it
};

// What is sent. URL, header values and body may hold placeholders (template.hpp).
struct LoadRequest {
  std::string url, method = "GET", body;
  std::map<std::string, std::string> headers;
  int weight = 1;  // its share among the load's requests
};

struct LoadData {  // rows of a table, one for each request
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;
  bool random = false;  // drawn, instead of in turn
};

struct LoadTls {
  std::string ca, cert, key;  // PEM files; without `ca` the machine's own authorities
  std::string server_name;    // who is asked for and must answer; empty: the URL's host
  bool insecure = false;      // whoever answers will do
};

struct Load {
  std::string name, url, method = "GET", body;  // what is sent, where `requests` is empty
  std::map<std::string, std::string> headers;   // of every request; its own go before
  std::vector<LoadRequest> requests;
  LoadData data;
  Rate rate;  // open loop; of a ramp the first; 0: the arrivals are recorded
  Arrivals arrivals;
  std::uint64_t seed = 1;  // of what is drawn: the same seed, the same requests at the same times
  Duration timeout = std::chrono::seconds(5);
  int connections = 0;  // most at once; 0: as many as all requests need that wait for their timeout, at most 1000
  Http http = Http::one;
  LoadTls tls;
  Where where;
};

// The load's requests with the headers that all have.
std::vector<LoadRequest> requests_of(const Load& load);

// How many requests are expected to start within so long from the load's start.
double expected_requests(const Load& load, Duration within);
Rate mean_rate(const Load& load, Duration within);
// The most that start in any one second of it: of random arrivals so many that hardly any second has more.
double most_in_a_second(const Load& load, Duration within);

}  // namespace arashi::spec
