// A communicator of any size that sends nothing and records every collective.
#pragma once

#include "model/plan/recorder.h"
#include "parallel/comm/communicator.h"

namespace edt {

class RecordingCommunicator final : public Communicator {
 public:
  RecordingCommunicator(Recorder& recorder, RankGroup group, int rank, int size)
      : recorder_(recorder), group_(group), rank_(rank), size_(size) {}

  std::string_view backend() const override { return "plan"; }
  int rank() const override { return rank_; }
  int size() const override { return size_; }
  const std::string& host() const override { return host_; }
  [[noreturn]] void abort(int status) override;

 private:
  void note(CollectiveKind kind, const Tensor& whole, const Collective& call,
            double wire_share = 1) {
    note(kind, static_cast<double>(whole.bytes()), call, wire_share);
  }
  void note(CollectiveKind kind, double bytes, const Collective& call, double wire_share) {
    const bool is_gradient = call.label.starts_with("gradients of");
    if (size_ > 1) recorder_.collective({kind, group_, bytes, wire_share, is_gradient});
  }
  static double share_of(Wire wire) { return wire == Wire::kBFloat16 ? 0.5 : 1; }

  std::unique_ptr<Communicator> do_split(int color, int key, const Collective&) override;
  void do_barrier(const Collective&) override {}
  void do_broadcast(const Tensor&, int, const Collective& call) override { unplanned(call); }
  void do_all_reduce(const Tensor& tensor, Reduce, const Collective& call) override {
    note(CollectiveKind::kAllReduce, tensor, call);
  }
  void do_all_gather(const Tensor&, const Tensor& to, const Collective& call) override {
    note(CollectiveKind::kAllGather, to, call);
  }
  void do_reduce_scatter(const Tensor& from, const Tensor&, Reduce,
                         const Collective& call) override {
    note(CollectiveKind::kReduceScatter, from, call);
  }
  void do_reduce_scatter_parts(const Tensor& whole, std::span<const std::int64_t>, Wire wire,
                               const Collective& call) override {
    note(CollectiveKind::kReduceScatter, whole, call, share_of(wire));
  }
  void do_reduce_groups(const Tensor& whole, std::span<const std::int64_t>, Wire wire,
                        const Collective& call) override {
    note(CollectiveKind::kReduceGroups, whole, call, share_of(wire));
  }
  void do_fold_groups(std::span<const Tensor>, const Tensor&, Wire wire,
                      const Collective& call) override {
    note(CollectiveKind::kFoldGroups, static_cast<double>(call.bytes), call, share_of(wire));
  }
  void do_all_gather_parts(const Tensor& whole, std::span<const std::int64_t>,
                           const Collective& call) override {
    note(CollectiveKind::kAllGather, whole, call);
  }
  std::unique_ptr<SideChannel> do_side_channel(const Collective& call) override { unplanned(call); }
  void do_send(const Tensor&, int, const Collective& call) override { unplanned(call); }
  void do_receive(const Tensor&, int, const Collective& call) override { unplanned(call); }
  std::vector<std::string> do_gather(std::string_view, int, const Collective& call) override {
    unplanned(call);
  }
  std::string do_broadcast_bytes(std::string_view, int, const Collective& call) override {
    unplanned(call);
  }
  [[noreturn]] void unplanned(const Collective& call) const;

  Recorder& recorder_;
  RankGroup group_;
  int rank_, size_;
  std::string host_ = "plan";
};

}  // namespace edt
