// SPDX-License-Identifier: Apache-2.0
import java.io.FileInputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.Security;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.interfaces.ECPublicKey;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.cert.jcajce.JcaCertStore;
import org.bouncycastle.cms.CMSAlgorithm;
import org.bouncycastle.cms.CMSAuthEnvelopedData;
import org.bouncycastle.cms.CMSAuthEnvelopedDataGenerator;
import org.bouncycastle.cms.CMSEnvelopedData;
import org.bouncycastle.cms.CMSEnvelopedDataGenerator;
import org.bouncycastle.cms.CMSProcessableByteArray;
import org.bouncycastle.cms.CMSSignedData;
import org.bouncycastle.cms.CMSSignedDataGenerator;
import org.bouncycastle.cms.Recipient;
import org.bouncycastle.cms.RecipientInfoGenerator;
import org.bouncycastle.cms.RecipientInformation;
import org.bouncycastle.cms.SignerInformation;
import org.bouncycastle.cms.jcajce.JcaSignerInfoGeneratorBuilder;
import org.bouncycastle.cms.jcajce.JcaSimpleSignerInfoVerifierBuilder;
import org.bouncycastle.cms.jcajce.JceCMSContentEncryptorBuilder;
import org.bouncycastle.cms.jcajce.JceKeyAgreeEnvelopedRecipient;
import org.bouncycastle.cms.jcajce.JceKeyAgreeRecipientInfoGenerator;
import org.bouncycastle.cms.jcajce.JceKeyTransAuthEnvelopedRecipient;
import org.bouncycastle.cms.jcajce.JceKeyTransEnvelopedRecipient;
import org.bouncycastle.cms.jcajce.JceKeyTransRecipientInfoGenerator;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.operator.OutputAEADEncryptor;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;
import org.bouncycastle.operator.jcajce.JcaContentVerifierProviderBuilder;
import org.bouncycastle.operator.jcajce.JcaDigestCalculatorProviderBuilder;

/** CMS by BouncyCastle:
 *  JavaCms verify CMS CONTENT|- CA.pem OUT          prints the number of signers that hold
 *  JavaCms sign KEY.p12 PASSWORD CONTENT detached|opaque OUT
 *  JavaCms decrypt KEY.p12 PASSWORD CMS OUT
 *  JavaCms encrypt cbc|gcm CONTENT OUT CERT.pem... */
public class JavaCms {
    static final String BC = "BC";
    static PrivateKey key;
    static X509Certificate cert;

    static byte[] read(String name) throws Exception {
        return Files.readAllBytes(Path.of(name));
    }

    static X509Certificate readCert(String name) throws Exception {
        try (FileInputStream in = new FileInputStream(name)) {
            return (X509Certificate) CertificateFactory.getInstance("X.509").generateCertificate(in);
        }
    }

    static void readKey(String name, String password) throws Exception {
        KeyStore store = KeyStore.getInstance("PKCS12");
        try (FileInputStream in = new FileInputStream(name)) {
            store.load(in, password.toCharArray());
        }
        String alias = store.aliases().nextElement();
        key = (PrivateKey) store.getKey(alias, password.toCharArray());
        cert = (X509Certificate) store.getCertificate(alias);
    }

    static void verify(String cms, String content, String ca, String out) throws Exception {
        CMSSignedData data = content.equals("-") ? new CMSSignedData(read(cms))
            : new CMSSignedData(new CMSProcessableByteArray(read(content)), read(cms));
        PublicKey issuer = readCert(ca).getPublicKey();
        int good = 0;
        for (SignerInformation signer : data.getSignerInfos().getSigners()) {
            Collection<X509CertificateHolder> found = data.getCertificates().getMatches(signer.getSID());
            X509CertificateHolder holder = found.iterator().next();
            if (signer.verify(new JcaSimpleSignerInfoVerifierBuilder().setProvider(BC).build(holder))
                    && holder.isSignatureValid(
                        new JcaContentVerifierProviderBuilder().setProvider(BC).build(issuer)))
                good++;
        }
        Files.write(Path.of(out), (byte[]) data.getSignedContent().getContent());
        System.out.println(good);
    }

    static void sign(String content, boolean opaque, String out) throws Exception {
        String algorithm = key.getAlgorithm().equals("RSA") ? "SHA256withRSA" : "SHA256withECDSA";
        CMSSignedDataGenerator generator = new CMSSignedDataGenerator();
        generator.addSignerInfoGenerator(new JcaSignerInfoGeneratorBuilder(
            new JcaDigestCalculatorProviderBuilder().setProvider(BC).build())
            .build(new JcaContentSignerBuilder(algorithm).setProvider(BC).build(key), cert));
        generator.addCertificates(new JcaCertStore(List.of(cert)));
        Files.write(Path.of(out), generator
            .generate(new CMSProcessableByteArray(read(content)), opaque).getEncoded());
    }

    static Recipient recipient(boolean authenticated) throws Exception {
        boolean rsa = key.getAlgorithm().equals("RSA");
        if (authenticated && !rsa)
            throw new Exception("this BouncyCastle has no recipient for EC and AuthEnvelopedData");
        if (authenticated)
            return new JceKeyTransAuthEnvelopedRecipient(key).setProvider(BC);
        return rsa ? new JceKeyTransEnvelopedRecipient(key).setProvider(BC)
            : new JceKeyAgreeEnvelopedRecipient(key).setProvider(BC);
    }

    static void decrypt(String cms, String out) throws Exception {
        byte[] octets = read(cms);
        boolean authenticated = false;
        Collection<RecipientInformation> all;
        try {
            all = new CMSEnvelopedData(octets).getRecipientInfos().getRecipients();
        } catch (Exception notEnveloped) {
            authenticated = true;
            all = new CMSAuthEnvelopedData(octets).getRecipientInfos().getRecipients();
        }
        X509CertificateHolder mine = new X509CertificateHolder(cert.getEncoded());
        for (RecipientInformation r : all) {
            if (!r.getRID().match(mine))
                continue;
            Files.write(Path.of(out), r.getContent(recipient(authenticated)));
            return;
        }
        throw new Exception("no recipient");
    }

    static RecipientInfoGenerator generator(X509Certificate to) throws Exception {
        if (!(to.getPublicKey() instanceof ECPublicKey))
            return new JceKeyTransRecipientInfoGenerator(to).setProvider(BC);
        KeyPairGenerator pairs = KeyPairGenerator.getInstance("EC", BC);
        pairs.initialize(((ECPublicKey) to.getPublicKey()).getParams());
        KeyPair pair = pairs.generateKeyPair();
        return new JceKeyAgreeRecipientInfoGenerator(CMSAlgorithm.ECDH_SHA256KDF, pair.getPrivate(),
            pair.getPublic(), CMSAlgorithm.AES256_WRAP).addRecipient(to).setProvider(BC);
    }

    static void encrypt(boolean gcm, String content, String out, List<String> to) throws Exception {
        CMSProcessableByteArray data = new CMSProcessableByteArray(read(content));
        List<RecipientInfoGenerator> generators = new ArrayList<>();
        for (String name : to)
            generators.add(generator(readCert(name)));
        if (gcm) {
            CMSAuthEnvelopedDataGenerator g = new CMSAuthEnvelopedDataGenerator();
            generators.forEach(g::addRecipientInfoGenerator);
            Files.write(Path.of(out), g.generate(data, (OutputAEADEncryptor)
                new JceCMSContentEncryptorBuilder(CMSAlgorithm.AES256_GCM).setProvider(BC).build())
                .getEncoded());
            return;
        }
        CMSEnvelopedDataGenerator g = new CMSEnvelopedDataGenerator();
        generators.forEach(g::addRecipientInfoGenerator);
        Files.write(Path.of(out), g.generate(data,
            new JceCMSContentEncryptorBuilder(CMSAlgorithm.AES256_CBC).setProvider(BC).build())
            .getEncoded());
    }

    public static void main(String[] args) throws Exception {
        Security.addProvider(new BouncyCastleProvider());
        switch (args[0]) {
        case "verify":
            verify(args[1], args[2], args[3], args[4]);
            break;
        case "sign":
            readKey(args[1], args[2]);
            sign(args[3], args[4].equals("opaque"), args[5]);
            break;
        case "decrypt":
            readKey(args[1], args[2]);
            decrypt(args[3], args[4]);
            break;
        case "encrypt":
            encrypt(args[1].equals("gcm"), args[2], args[3],
                List.of(args).subList(4, args.length));
            break;
        default:
            throw new Exception("no such command: " + args[0]);
        }
    }
}
