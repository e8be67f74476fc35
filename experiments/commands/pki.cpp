// `arashi pki`: a certificate authority and certificates for a first set-up of agents over TCP.
#include "experiments/commands/certificates.hpp"
#include "experiments/commands/commands.hpp"

#include <CLI/CLI.hpp>

#include <memory>

namespace arashi::commands {
namespace {

struct Options {
  std::string directory;
  CertificateRequest request;
};

void add_leaf(CLI::App& pki, int& exit_code, const std::string& role, const std::string& about, const std::string& example) {
  auto* command = pki.add_subcommand(role, about);
  auto options = std::make_shared<Options>();
  options->request.role = role;
  command->add_option("directory", options->directory, "folder with the authority (arashi pki init)")->required();
  command->add_option("name", options->request.name, "name, which is also the folder made")->required();
  command->add_option("--days", options->request.days, "how long it is valid")->capture_default_str();
  if (role == "agent")
    command->add_option("--address", options->request.addresses, "IP address or DNS name under which runners reach it; may be repeated")
        ->required();
  command->footer("Example:\n  " + example);
  command->callback([options, role, &exit_code] {
    const auto made = make_certificate(options->directory, options->request);
    if (!made)
      exit_code = complain("pki " + role, made.error());
    else
      print("made " + made->string() + "/ca.pem, cert.pem and key.pem\n");
  });
}

void add_init(CLI::App& pki, int& exit_code) {
  auto* command = pki.add_subcommand("init", "make a certificate authority");
  auto options = std::make_shared<Options>();
  options->request.days = 1825;
  command->add_option("directory", options->directory, "folder to make it in; keep its ca-key.pem safe")->required();
  command->add_option("--days", options->request.days, "how long it is valid")->capture_default_str();
  command->footer("Example:\n  arashi pki init pki");
  command->callback([options, &exit_code] {
    if (auto made = make_authority(options->directory, options->request.days); !made)
      exit_code = complain("pki init", made.error());
    else
      print("made " + options->directory + "/ca.pem and ca-key.pem\n");
  });
}

}  // namespace

void add_pki(CLI::App& app, int& exit_code) {
  auto* pki = app.add_subcommand("pki", "make certificates for agents over TCP");
  pki->require_subcommand(1);
  pki->footer(
      "Example:\n  arashi pki init pki\n  arashi pki agent pki node-1 --address 10.0.0.3\n  arashi pki runner pki game-day\n"
      "  arashi-agent --listen 10.0.0.3:7340 --ca pki/node-1/ca.pem --certificate pki/node-1/cert.pem --key pki/node-1/key.pem\n"
      "  arashi run experiment.yaml --agents 10.0.0.3:7340 --pki pki/game-day");
  add_init(*pki, exit_code);
  add_leaf(*pki, exit_code, "agent", "make a certificate for an agent",
           "arashi pki agent pki node-1 --address 10.0.0.3 --address node-1.example");
  add_leaf(*pki, exit_code, "runner", "make a certificate that may do everything", "arashi pki runner pki game-day");
  add_leaf(*pki, exit_code, "halt-only", "make a certificate that may look and stop, but not start", "arashi pki halt-only pki on-call");
}

}  // namespace arashi::commands
