using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace PgBackup.Postgres.Replication.Login;

/// <summary>
/// The client's side of SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802, RFC 7677; PostgreSQL documentation, "SASL Authentication"). PostgreSQL takes the user
/// from the startup message, so the name here is empty. What the server sends is refused by <see cref="ProtocolViolationException"/>.
/// </summary>
internal sealed class Scram
{
    /// <summary>Without channel binding.</summary>
    public const string Mechanism = "SCRAM-SHA-256";

    /// <summary>Bound to the TLS connection.</summary>
    public const string BoundMechanism = "SCRAM-SHA-256-PLUS";

    // RFC 7677 asks for 4096 at least; a server that asks for much more wants to keep us busy.
    private const int MostIterations = 10_000_000;

    private readonly string _nonce;
    private readonly string _gs2Header;
    private readonly byte[] _binding;
    private byte[]? _expectedSignature;

    /// <summary>Begins an exchange.</summary>
    /// <param name="gs2Header">What the client says of channel binding: <c>n,,</c>, <c>y,,</c> or <c>p=tls-server-end-point,,</c>.</param>
    /// <param name="binding">The hash of the server's certificate; empty without binding.</param>
    /// <param name="nonce">For tests; else 18 random bytes.</param>
    public Scram(string gs2Header, byte[] binding, string? nonce = null)
    {
        _gs2Header = gs2Header;
        _binding = binding;
        _nonce = nonce ?? Convert.ToBase64String(RandomNumberGenerator.GetBytes(18));
    }

    /// <summary>True when the exchange proves that both ends see one TLS connection.</summary>
    public bool IsBound => _binding.Length > 0;

    private string FirstBare => $"n=,r={_nonce}";

    /// <summary>The client-first-message.</summary>
    public byte[] First() => Encoding.UTF8.GetBytes(_gs2Header + FirstBare);

    /// <summary>The client-final-message that answers the server-first-message.</summary>
    public byte[] Final(ReadOnlySpan<byte> serverFirst, string password)
    {
        string first = Encoding.UTF8.GetString(serverFirst);
        string[] fields = first.Split(',');
        if (fields is not [['r', '=', .. var nonce], ['s', '=', .. var salt64], ['i', '=', .. var count], ..]
            || !nonce.StartsWith(_nonce, StringComparison.Ordinal) || nonce.Length == _nonce.Length
            || !int.TryParse(count, NumberStyles.None, CultureInfo.InvariantCulture, out int iterations) || iterations is < 1 or > MostIterations)
            throw new ProtocolViolationException("its first SCRAM message is not valid");
        byte[] salted = Rfc2898DeriveBytes.Pbkdf2(
            Encoding.UTF8.GetBytes(SaslPrep.Apply(password)), FromBase64(salt64), iterations, HashAlgorithmName.SHA256, SHA256.HashSizeInBytes);
        string finalBare = $"c={Convert.ToBase64String([.. Encoding.UTF8.GetBytes(_gs2Header), .. _binding])},r={nonce}";
        byte[] authMessage = Encoding.UTF8.GetBytes($"{FirstBare},{first},{finalBare}");

        byte[] clientKey = HMACSHA256.HashData(salted, "Client Key"u8);
        byte[] proof = HMACSHA256.HashData(SHA256.HashData(clientKey), authMessage);
        for (int i = 0; i < proof.Length; i++)
            proof[i] ^= clientKey[i];
        _expectedSignature = HMACSHA256.HashData(HMACSHA256.HashData(salted, "Server Key"u8), authMessage);
        return Encoding.UTF8.GetBytes($"{finalBare},p={Convert.ToBase64String(proof)}");
    }

    /// <summary>True when the server-final-message proves that the server knows the password's verifier too.</summary>
    public bool IsServerProven(ReadOnlySpan<byte> serverFinal)
    {
        if (_expectedSignature is null || !serverFinal.StartsWith("v="u8))
            return false;
        ReadOnlySpan<byte> signature = serverFinal[2..];
        int end = signature.IndexOf((byte)',');
        return CryptographicOperations.FixedTimeEquals(FromBase64(Encoding.ASCII.GetString(end < 0 ? signature : signature[..end])), _expectedSignature);
    }

    private static byte[] FromBase64(string text)
    {
        try
        {
            return Convert.FromBase64String(text);
        }
        catch (FormatException)
        {
            throw new ProtocolViolationException("a SCRAM message of it is not valid");
        }
    }
}
