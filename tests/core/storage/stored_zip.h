// A zip archive of uncompressed members, byte by byte, so that its parts can contradict each other.
#pragma once

#include <boost/crc.hpp>
#include <cstdint>
#include <string>
#include <vector>

namespace edt::test {

struct StoredMember {
  std::string name, data;
  std::uint32_t local_crc_error = 0;   // added to the CRC-32 in the header before the data
  std::uint32_t local_size_error = 0;  // likewise to the size
  std::uint32_t crc_error = 0;         // added in both places
  std::string local_name;              // another name before the data
};

inline std::string little(std::uint64_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i, value >>= 8) text += static_cast<char>(value & 0xff);
  return text;
}

inline std::string stored_zip(const std::vector<StoredMember>& members) {
  std::string file, directory;
  for (const StoredMember& member : members) {
    boost::crc_32_type sum;
    sum.process_bytes(member.data.data(), member.data.size());
    const std::uint32_t crc = sum.checksum() + member.crc_error;
    const auto size = static_cast<std::uint32_t>(member.data.size());
    const std::string& local = member.local_name.empty() ? member.name : member.local_name;
    const std::string version_to_date = little(20, 2) + little(0, 2) + little(0, 2) + little(0, 4);
    directory += "PK\1\2" + little(20, 2) + version_to_date + little(crc, 4) + little(size, 4) +
                 little(size, 4) + little(member.name.size(), 2) + little(0, 12) +
                 little(file.size(), 4) + member.name;
    const std::uint32_t local_size = size + member.local_size_error;
    file += "PK\3\4" + version_to_date + little(crc + member.local_crc_error, 4) +
            little(local_size, 4) + little(local_size, 4) + little(local.size(), 2) + little(0, 2) +
            local + member.data;
  }
  const std::string count = little(members.size(), 2);
  return file + directory + "PK\5\6" + little(0, 4) + count + count + little(directory.size(), 4) +
         little(file.size(), 4) + little(0, 2);
}

}  // namespace edt::test
