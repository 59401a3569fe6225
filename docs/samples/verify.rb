require "base64"
require "openssl"

# Whether the message is genuine. `body` is what came, byte for byte: in Rails, request.raw_post.
def verify(body, id, timestamp, signatures, secret, now)
  return false unless timestamp.match?(/\A\d+\z/) && (now - timestamp.to_i).abs <= 300

  key = Base64.strict_decode64(secret.delete_prefix("whsec_"))
  digest = OpenSSL::HMAC.digest("SHA256", key, "#{id}.#{timestamp}.".b + body.b)
  wanted = "v1,#{Base64.strict_encode64(digest)}"
  signatures.split(" ").any? { |given| OpenSSL.secure_compare(wanted, given) }
end

id, timestamp, signatures, secret, now = ARGV
exit(verify($stdin.binmode.read, id, timestamp, signatures, secret, now.to_i) ? 0 : 1)
