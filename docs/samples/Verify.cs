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
        using (var mac = new HMACSHA256(key))
        {
            var digest = mac.ComputeHash(Encoding.UTF8.GetBytes($"{id}.{timestamp}.").Concat(body).ToArray());
            var wanted = Encoding.UTF8.GetBytes("v1," + Convert.ToBase64String(digest));
            return signatures.Split(' ').Any(given => Same(wanted, Encoding.UTF8.GetBytes(given)));
        }
    }

    /// <summary>In constant time, as CryptographicOperations.FixedTimeEquals of .NET does it.</summary>
    private static bool Same(byte[] one, byte[] other)
    {
        var difference = one.Length ^ other.Length;
        for (var place = 0; place < Math.Min(one.Length, other.Length); place++) difference |= one[place] ^ other[place];
        return difference == 0;
    }

    public static int Main(string[] args)
    {
        var body = new MemoryStream();
        Console.OpenStandardInput().CopyTo(body);
        return Verify(body.ToArray(), args[0], args[1], args[2], args[3], long.Parse(args[4])) ? 0 : 1;
    }
}
