#include "agent/http/ask.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>

namespace arashi::http {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using Code = boost::system::error_code;

struct Question {
  asio::io_context context{1};
  beast::basic_stream<asio::local::stream_protocol> stream{context};
  beast::http::request<beast::http::string_body> request;
  beast::http::response<beast::http::string_body> response;
  beast::flat_buffer buffer;
  Code error = asio::error::timed_out;

  void send() {
    beast::http::async_write(stream, request, [this](Code wrong, std::size_t) {
      error = wrong;
      if (!wrong) receive();
    });
  }

  void receive() {
    beast::http::async_read(stream, buffer, response, [this](Code wrong, std::size_t) { error = wrong; });
  }
};

}  // namespace

Result<Reply> ask(const std::filesystem::path& socket, const std::string& method, const std::string& target, const std::string& body,
                  Duration patience) {
  if (socket.string().size() > 107) return fail(Blame::input, "socket path '", socket.string(), "' is longer than 107 bytes");
  Question question;
  question.request = {beast::http::string_to_verb(method), target, 11, body};
  question.request.set(beast::http::field::host, "localhost");
  question.request.prepare_payload();
  question.stream.expires_after(patience);
  question.stream.async_connect(asio::local::stream_protocol::endpoint(socket.string()), [&question](Code wrong) {
    question.error = wrong;
    if (!wrong) question.send();
  });
  question.context.run();
  if (question.error) {
    const auto blame = question.error == asio::error::connection_refused || question.error == boost::system::errc::no_such_file_or_directory
                           ? Blame::missing
                           : Blame::system;
    return fail(blame, "ask the agent at '", socket.string(), "': ", question.error.message(),
                blame == Blame::missing ? "; is it running?" : "");
  }
  return Reply{.status = static_cast<int>(question.response.result_int()), .body = std::move(question.response.body())};
}

}  // namespace arashi::http
