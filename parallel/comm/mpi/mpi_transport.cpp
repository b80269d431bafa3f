#include "parallel/comm/mpi/mpi_transport.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <thread>

#include "core/base/assert.h"
#include "core/base/exit_deadline.h"
#include "core/base/log.h"
#include "parallel/comm/mpi/backoff.h"

// Open MPI's MPI_Abort without the banner of eight lines that it prints on behalf of a program that
// says itself why it ends. Other libraries do not have it.
extern "C" [[gnu::weak]] int ompi_mpi_abort(MPI_Comm comm, int status);

namespace edt {
namespace {

// Slurm 22.05 loses what a task wrote just before its step is killed, if it had written shortly
// before that too: the second line waits in slurmstepd's socket until srun's kernel has
// acknowledged the first, which it may delay for 200 ms (Linux: TCP_DELACK_MAX).
void let_lines_arrive() {
  if (std::getenv("SLURM_STEP_ID")) std::this_thread::sleep_for(std::chrono::milliseconds(300));
}

class MpiMessage final : public Message {
 public:
  MpiMessage(std::shared_ptr<MpiGroup> group, std::size_t bytes, int peer, bool is_send)
      : group_(std::move(group)), bytes_(bytes), peer_(peer), is_send_(is_send) {}

  // MPI cannot take back what is on its way; only a job that is about to be aborted comes here.
  ~MpiMessage() override {
    if (request == MPI_REQUEST_NULL) return;
    int finalized = 0;
    MPI_Finalized(&finalized);
    if (finalized) return;
    if (!is_send_) MPI_Cancel(&request);
    MPI_Request_free(&request);
  }

  bool complete() {
    if (request == MPI_REQUEST_NULL) return true;
    int done = 0;
    MPI_Status status;
    check_mpi(MPI_Test(&request, &done, &status), is_send_ ? "sending" : "receiving");
    if (!done) return false;
    request = MPI_REQUEST_NULL;
    if (!is_send_) check_size(status);
    return true;
  }

  MPI_Request request = MPI_REQUEST_NULL;

 private:
  void check_size(const MPI_Status& status) const {
    int count = 0;
    check_mpi(MPI_Get_count(&status, MPI_BYTE, &count), "MPI_Get_count");
    if (static_cast<std::size_t>(count) != bytes_) {
      throw TransportError(
          fmt::format("has {} bytes from rank {}, which has {}", bytes_, peer_, count));
    }
  }

  std::shared_ptr<MpiGroup> group_;
  std::size_t bytes_;
  int peer_;
  bool is_send_;
};

class MpiTransport final : public Transport {
 public:
  explicit MpiTransport(std::shared_ptr<MpiGroup> group) : group_(std::move(group)) {
    check_mpi(MPI_Comm_rank(group_->get(), &rank_), "MPI_Comm_rank");
    check_mpi(MPI_Comm_size(group_->get(), &size_), "MPI_Comm_size");
    char name[MPI_MAX_PROCESSOR_NAME] = "";
    int length = 0;
    check_mpi(MPI_Get_processor_name(name, &length), "MPI_Get_processor_name");
    host_.assign(name, static_cast<std::size_t>(length));
  }

  std::string_view name() const override { return "mpi"; }
  int rank() const override { return rank_; }
  int size() const override { return size_; }
  const std::string& host() const override { return host_; }

  std::unique_ptr<Message> send(std::span<const std::byte> bytes, int to, int tag) override {
    auto message = std::make_unique<MpiMessage>(group_, bytes.size(), to, true);
    check_mpi(MPI_Isend(bytes.data(), count_of(bytes.size()), MPI_BYTE, to, tag, group_->get(),
                        &message->request),
              "MPI_Isend");
    return message;
  }

  std::unique_ptr<Message> receive(std::span<std::byte> bytes, int from, int tag) override {
    auto message = std::make_unique<MpiMessage>(group_, bytes.size(), from, false);
    check_mpi(MPI_Irecv(bytes.data(), count_of(bytes.size()), MPI_BYTE, from, tag, group_->get(),
                        &message->request),
              "MPI_Irecv");
    return message;
  }

  bool complete(Message& message) override { return static_cast<MpiMessage&>(message).complete(); }

  bool wait_any(std::span<Message* const> messages, Clock::time_point deadline) override {
    Backoff backoff;
    for (;;) {
      for (Message* message : messages) {
        if (complete(*message)) return true;
      }
      if (Clock::now() >= deadline) return false;
      backoff.pause();
    }
  }

  std::optional<Envelope> probe(int tag) override {
    int found = 0;
    MPI_Status status;
    check_mpi(MPI_Iprobe(MPI_ANY_SOURCE, tag, group_->get(), &found, &status), "MPI_Iprobe");
    if (!found) return std::nullopt;
    int count = 0;
    check_mpi(MPI_Get_count(&status, MPI_BYTE, &count), "MPI_Get_count");
    return Envelope{status.MPI_SOURCE, static_cast<std::size_t>(count)};
  }

  std::unique_ptr<Transport> split(std::span<const int> members, std::uint64_t) override {
    const auto place = std::find(members.begin(), members.end(), rank_) - members.begin();
    MPI_Comm part = MPI_COMM_NULL;
    check_mpi(MPI_Comm_split(group_->get(), members[0], static_cast<int>(place), &part),
              "MPI_Comm_split");
    return make_mpi_transport(std::make_shared<MpiGroup>(part));
  }

  // The library asks the launcher, which may be out of reach, and first what other threads do here.
  [[noreturn]] void abort(int status) override {
    log::flush();
    let_lines_arrive();
    const ExitDeadline deadline(std::chrono::seconds(5), status, "");
    if (ompi_mpi_abort != nullptr) ompi_mpi_abort(group_->get(), status);
    MPI_Abort(group_->get(), status);
    std::_Exit(status);
  }

 private:
  static int count_of(std::size_t bytes) {
    EDT_ASSERT(bytes < std::size_t{1} << 31);  // collectives cut into messages far smaller
    return static_cast<int>(bytes);
  }

  std::shared_ptr<MpiGroup> group_;
  std::string host_;
  int rank_ = 0, size_ = 1;
};

}  // namespace

std::unique_ptr<Transport> make_mpi_transport(std::shared_ptr<MpiGroup> group) {
  return std::make_unique<MpiTransport>(std::move(group));
}

}  // namespace edt
