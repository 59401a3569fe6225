import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.Base64;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

public class Verify {
    /** Whether the message is genuine. {@code body} is what came, byte for byte: in Spring, a {@code byte[]} body. */
    static boolean verify(byte[] body, String id, String timestamp, String signatures, String secret, long now)
            throws Exception {
        if (!timestamp.matches("\\d{1,15}") || Math.abs(now - Long.parseLong(timestamp)) > 300) {
            return false;
        }
        Mac mac = Mac.getInstance("HmacSHA256");
        mac.init(new SecretKeySpec(Base64.getDecoder().decode(secret.replaceFirst("^whsec_", "")), "HmacSHA256"));
        mac.update((id + "." + timestamp + ".").getBytes(StandardCharsets.UTF_8));
        byte[] wanted = ("v1," + Base64.getEncoder().encodeToString(mac.doFinal(body))).getBytes(StandardCharsets.UTF_8);
        boolean genuine = false;
        for (String given : signatures.split(" ")) {
            genuine |= MessageDigest.isEqual(wanted, given.getBytes(StandardCharsets.UTF_8));
        }
        return genuine;
    }

    public static void main(String[] args) throws Exception {
        byte[] body = System.in.readAllBytes();
        System.exit(verify(body, args[0], args[1], args[2], args[3], Long.parseLong(args[4])) ? 0 : 1);
    }
}
