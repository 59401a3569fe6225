using System;
using System.IO;
using System.Linq;
using System.Security.Cryptography;
using System.Text;

public static class Program
{
    /// <summary>Whether the message is genuine. <c>body</c> is what came, byte for byte: Request.Body.</summary>
    public static bool Verify(byte[] body, string id, string timestamp, string signatures, string secret, long now)
    {
        if (!long.TryParse(timestamp, out var sent) || Math.Abs(now - sent) > 300) return false;
        var key = Convert.FromBase64String(secret.StartsWith("whsec_") ? secret.Substring(6) : secret);
        using var mac = new HMACSHA256(key);
        var digest = mac.ComputeHash(Encoding.UTF8.GetBytes($"{id}.{timestamp}.").Concat(body).ToArray());
        var wanted = Encoding.UTF8.GetBytes("v1," + Convert.ToBase64String(digest));
        return signatures.Split(' ').Any(given =>
            CryptographicOperations.FixedTimeEquals(wanted, Encoding.UTF8.GetBytes(given)));
    }

    public static int Main(string[] args)
    {
        using var body = new MemoryStream();
        using var input = Console.OpenStandardInput();
        input.CopyTo(body);
        return Verify(body.ToArray(), args[0], args[1], args[2], args[3], long.Parse(args[4])) ? 0 : 1;
    }
}
